/* joiner DIR: until DIR/stop exists, looks at every process of nsrun's that joins the container, as CVE-2016-9962 did, and prints
 * how often it saw the file it runs from, opened its memory, followed its descriptors, traced it. pid 1 is not counted. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int seen, executable, memory, descriptors, traced;

/* nsrun's own processes run from an unnamed file, and are called by its name; the command is not any more. In execve(2) the kernel
 * lets it be looked at (it is the new program by then) a moment before it changes the name: what its file is decides. */
static int ours(int pid) {
  char path[64], name[64] = "", file[256] = "";
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  if (readlink(path, file, sizeof file - 1) > 0 && !strstr(file, "memfd:")) return 0;
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  if (read(fd, name, sizeof name - 1) < 0) name[0] = 0;
  close(fd);
  return strncmp(name, "memfd:", 6) == 0;
}

static int opens(int pid, const char *what, int flags) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
  int fd = open(path, flags);
  if (fd >= 0) close(fd);
  return fd >= 0 && ours(pid);
}

static void look(int pid) {
  char path[64], target[256] = "";
  if (!ours(pid)) return;
  seen++;
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  /* in the middle of its exec it has its old name and the command's file: only an unnamed one is nsrun's */
  executable += readlink(path, target, sizeof target - 1) > 0 && strstr(target, " (deleted)") && ours(pid);
  memory += opens(pid, "mem", O_RDWR);
  snprintf(path, sizeof path, "/proc/%d/fd/1", pid);
  descriptors += readlink(path, target, sizeof target) > 0 && ours(pid);
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
    traced += ours(pid);
    ptrace(PTRACE_DETACH, pid, 0, 0);
  }
}

int main(int argc, char **argv) {
  char stop[512];
  snprintf(stop, sizeof stop, "%s/stop", argc > 1 ? argv[1] : ".");
  while (access(stop, F_OK) != 0) {
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
      int pid = atoi(e->d_name);
      if (pid > 1 && pid != getpid()) look(pid);
    }
    if (proc) closedir(proc);
    while (waitpid(-1, NULL, WNOHANG | __WALL) > 0) {}
  }
  printf("{\"seen\":%d,\"executable\":%d,\"memory\":%d,\"descriptors\":%d,\"traced\":%d}\n", seen, executable, memory,
         descriptors, traced);
  return 0;
}
