/* What can be reached from here? Each argument is OP:ARGUMENT; one line "OP:ARGUMENT result" for each, where the result is ok
 * or the errno. Linked statically, so that it runs in any root and under any rules. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int opened(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd >= 0) close(fd);
  return fd < 0 ? -1 : 0;
}

static int tcp(const char *port, int binds) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int r = binds ? bind(fd, (void *)&to, sizeof to) : connect(fd, (void *)&to, sizeof to);
  int e = errno;
  close(fd);
  errno = e;
  return r;
}

static int abstract(const char *name) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  memcpy(to.sun_path + 1, name, strlen(name));
  return connect(fd, (void *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

/* ENOTTY: the device was asked */
static int device(const char *path) {
  long modes[8];
  int fd = open(path, O_RDWR | O_CLOEXEC);
  return fd < 0 ? -1 : ioctl(fd, TCGETS, modes);
}

static int moved(char *arg) {
  char *to = strchr(arg, ',');
  *to++ = 0;
  int r = rename(arg, to);
  to[-1] = ',';
  return r;
}

static int reach(const char *op, char *arg) {
  char path[64];
  if (!strcmp(op, "read")) return opened(arg, O_RDONLY);
  if (!strcmp(op, "list")) return opened(arg, O_RDONLY | O_DIRECTORY);
  if (!strcmp(op, "write")) return opened(arg, O_WRONLY);
  if (!strcmp(op, "create")) return opened(arg, O_WRONLY | O_CREAT | O_EXCL);
  if (!strcmp(op, "truncate")) return truncate(arg, 0);
  if (!strcmp(op, "unlink")) return unlink(arg);
  if (!strcmp(op, "mkdir")) return mkdir(arg, 0700);
  if (!strcmp(op, "link")) return symlink("x", arg);
  if (!strcmp(op, "chmod")) return chmod(arg, 0640);
  if (!strcmp(op, "rename")) return moved(arg);
  if (!strcmp(op, "ioctl")) return device(arg);
  if (!strcmp(op, "connect")) return tcp(arg, 0);
  if (!strcmp(op, "bind")) return tcp(arg, 1);
  if (!strcmp(op, "abstract")) return abstract(arg);
  if (!strcmp(op, "kill")) return kill(atoi(arg), 0);
  if (!strcmp(op, "exe")) {
    snprintf(path, sizeof path, "/proc/%s/exe", arg);
    return opened(path, O_RDONLY);
  }
  if (!strcmp(op, "landlock")) return (errno = syscall(444, 0, 0, 1)), -1; /* the version, as an errno */
  exit(99);
}

int main(int n, char **argv) {
  for (int i = 1; i < n; i++) {
    char *arg = strchr(argv[i], ':');
    *arg++ = 0;
    errno = 0;
    int r = reach(argv[i], arg);
    const char *name = strerrorname_np(errno);
    printf("%s:%s %s\n", argv[i], arg, r == 0 ? "ok" : name ? name : "?");
    if (!strcmp(argv[i], "landlock")) printf("%d\n", errno);
  }
  return 0;
}
