/*
 * attack NAME…: tries calls that a container must not have, and prints a line each: the name, and what came back. Arguments are
 * chosen so that a call which reaches the kernel answers something else than EPERM, also without privilege: EFAULT, EBADF
 * or EINVAL prove that it was not blocked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD ((void *)8L) /* no address of ours */
#define KEY_SPEC_SESSION_KEYRING -3
#define KEYCTL_JOIN_SESSION_KEYRING 1
#define KEYCTL_SEARCH 10

struct call { const char *name; long nr, a, b, c, d, e; };
static const struct call calls[] = {
  {"mount", SYS_mount, (long)BAD, (long)BAD, (long)BAD, 0, 0},
  {"umount2", SYS_umount2, (long)"/", 0x1000, 0, 0, 0},
  {"open_tree", 428, -1, (long)"x", 0, 0, 0},
  {"mount_setattr", 442, -1, (long)"", 0x40000, 0, 0},
  {"setns", SYS_setns, -1, 0, 0, 0, 0},
  {"chroot", SYS_chroot, (long)BAD, 0, 0, 0, 0},
  {"unshare_user", SYS_unshare, CLONE_NEWUSER, 0, 0, 0, 0},
  {"unshare_user_high", SYS_unshare, CLONE_NEWUSER | (1L << 40), 0, 0, 0, 0},
  {"clone3", 435, (long)BAD, 64, 0, 0, 0},
  {"io_uring_setup", 425, 1, (long)BAD, 0, 0, 0},
  {"userfaultfd", SYS_userfaultfd, 1 | 0x10000, 0, 0, 0, 0},
  {"bpf", SYS_bpf, 0, (long)BAD, 8, 0, 0},
  {"perf_event_open", SYS_perf_event_open, (long)BAD, 0, -1, -1, 0},
  {"keyctl", SYS_keyctl, 0, KEY_SPEC_SESSION_KEYRING, 0, 0, 0},
  {"add_key", SYS_add_key, (long)BAD, (long)BAD, 0, 0, KEY_SPEC_SESSION_KEYRING},
  {"request_key", SYS_request_key, (long)BAD, (long)BAD, 0, 0, 0},
  {"settimeofday", SYS_settimeofday, (long)BAD, 0, 0, 0, 0},
  {"clock_settime", SYS_clock_settime, 0, (long)BAD, 0, 0, 0},
  {"pidfd_getfd", 438, -1, 0, 0, 0, 0},
  {"process_madvise", 440, -1, 0, 0, 0, 0},
  {"quotactl", SYS_quotactl, 0xff, 0, 0, 0, 0},
  {"personality_fixed", SYS_personality, 0x0040000, 0, 0, 0, 0},
  {"tiocsti", SYS_ioctl, 0, 0x5412, (long)"x", 0, 0},
  {"tiocsti_high", SYS_ioctl, 0, 0x5412 | (1L << 32), (long)"x", 0, 0},
  {"tioclinux", SYS_ioctl, 0, 0x541c, (long)"x", 0, 0},
  {"af_alg", SYS_socket, 38, 5, 0, 0, 0},
  {"af_alg_high", SYS_socket, 38 | (1L << 32), 5, 0, 0, 0},
  {"af_vsock", SYS_socket, 40, 1, 0, 0, 0},
  {"unknown_number", 1000, 0, 0, 0, 0, 0},
  {"ping_socket", SYS_socket, 2, 2, 1, 0, 0},
  {"raw_socket", SYS_socket, 2, 3, 1, 0, 0},
  {"find_key", SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (long)"user", (long)"nsrun-test", 0},
  {"trace_pid1", SYS_ptrace, PTRACE_SEIZE, 1, 0, 0, 0},
};

static void say(const char *name, long result) {
  if (result >= 0) printf("%s ok\n", name);
  else printf("%s %s\n", name, strerrorname_np(errno));
}

/* In a child: what kills it. */
static void kills(const char *name, void (*call)(void)) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    call();
    _exit(0);
  }
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) printf("%s SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
  else printf("%s ok\n", name);
}

#ifdef __x86_64__
static void i386(void) { /* getpid of the 32-bit table */
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
}
static void x32(void) { syscall(0x40000000 | SYS_getpid); }
#endif

static void clone_user(void) {
  long pid = syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  say("clone_user", pid);
}

/* with_key CMD…: a session keyring of the caller's with a key in it, then the command. */
static int with_key(char **argv) {
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "nsrun-test");
  if (syscall(SYS_add_key, "user", "nsrun-test", "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0) return 3;
  execvp(argv[0], argv);
  return 4;
}

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc > 2 && !strcmp(argv[1], "with_key")) return with_key(argv + 2);
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "euid")) printf("euid %d\n", geteuid());
    if (!strcmp(argv[i], "clone_user")) clone_user();
#ifdef __x86_64__
    if (!strcmp(argv[i], "i386")) kills("i386", i386);
    if (!strcmp(argv[i], "x32")) kills("x32", x32);
#endif
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
      const struct call *c = &calls[k];
      if (strcmp(argv[i], c->name)) continue;
      say(c->name, syscall(c->nr, c->a, c->b, c->c, c->d, c->e));
    }
  }
  return 0;
}
