/* The command of the hostile roots: what it stands in, and what is mounted. One write a line; static. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
  char text[65536];
  struct dirent *e;
  DIR *here = opendir(".");
  int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  long n = syscall(SYS_getcwd, text, sizeof text); /* libc's own would hide "(unreachable)" */
  printf("cwd %s\n", n > 0 ? text : "?");
  while (here && (e = readdir(here))) printf("entry %s\n", e->d_name);
  fflush(stdout);
  while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0)
    if (write(1, text, n) != n) return 1;
  return 0;
}
