/*
 * start MODE ROOT [--no-init]: the system calls of one `start(["/bin/true"])` of the library with the default busybox root and
 * the options AS_IN_C of worker.ts, made by a small C program with a plain, fork-like clone. What nsrun adds for safety (the
 * sealed ELF, its stage, the reset of signals) is not in here: it is what the ratio shows. Keep in step with src/plan.
 */
#include "common.h"
#include <linux/capability.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)
#define PATH_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)
#define KERNEL_ATTRIBUTES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define KERNEL_FS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const char *lower_path;
static int with_init = 1;
static char *const args[] = {"/bin/true", NULL};
static char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm",
                            "USER=root", NULL};

static int new_fs(const char *type, const char *mode, const char *size) {
  int fs = MUST(fsopen(type, FSOPEN_CLOEXEC));
  MUST(fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0));
  if (mode) MUST(fsconfig(fs, FSCONFIG_SET_STRING, "mode", mode, 0));
  if (size) MUST(fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0));
  return fs;
}

static int mounted(int fs, unsigned attributes) {
  MUST(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  return MUST(fsmount(fs, FSMOUNT_CLOEXEC, attributes));
}

/* src/plan/root.ts: detachedOverlay */
static int make_root(void) {
  int lower = MUST(open(lower_path, PATH_FLAGS));
  int layer = mounted(new_fs("tmpfs", "0755", NULL), MOUNT_ATTR_NODEV);
  const char *dirs[] = {"u", "w", "u/dev", "u/proc", "u/sys"};
  for (int i = 0; i < 5; i++) MUST(mkdirat(layer, dirs[i], 0755));
  int upper = MUST(openat(layer, "u", PATH_FLAGS)), work = MUST(openat(layer, "w", PATH_FLAGS));
  int fs = new_fs("overlay", NULL, NULL);
  MUST(fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, lower));
  MUST(fsconfig(fs, FSCONFIG_SET_FD, "upperdir", NULL, upper));
  MUST(fsconfig(fs, FSCONFIG_SET_FD, "workdir", NULL, work));
  return mounted(fs, MOUNT_ATTR_NODEV);
}

/* src/plan/dev.ts: prepared */
static int make_dev(void) {
  static const struct { const char *name; int major, minor; } nodes[] = {
      {"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
  static const char *links[][2] = {{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"},
                                   {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}};
  static const char *dirs[] = {"pts", "shm", "mqueue"};
  int dev = mounted(new_fs("tmpfs", "0755", "64k"), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  for (int i = 0; i < 6; i++) MUST(mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
  for (int i = 0; i < 5; i++) MUST(symlinkat(links[i][0], dev, links[i][1]));
  for (int i = 0; i < 3; i++) MUST(mkdirat(dev, dirs[i], 0755));
  return dev;
}

static int find(int root, const char *name) {
  struct open_how how = {.flags = PATH_FLAGS, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};
  return MUST(syscall(SYS_openat2, root, name, &how, sizeof how));
}

/* src/plan/mounts.ts; returns the mount's own descriptor */
static int mount_in(int root, const char *name, const char *type, unsigned attributes) {
  int at, made = mounted(new_fs(type, NULL, NULL), attributes);
  MUST(move_mount(made, "", at = find(root, name), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
  MUST(close(at));
  return made;
}

static void put(int dir, const char *name, const char *text) {
  int fd = MUST(openat(dir, name, O_WRONLY | O_CLOEXEC));
  MUST(write(fd, text, strlen(text)));
  MUST(close(fd));
}

/* src/plan/mounts.ts, dev.ts, build.ts, network.ts: from the fresh namespaces to the new root */
static void furnish(int root, int dev) {
  MUST(prctl(PR_SET_PDEATHSIG, SIGKILL));
  umask(0);
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  MUST(move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
  MUST(fchdir(root));
  int proc = mount_in(root, "proc", "proc", KERNEL_ATTRIBUTES);
  mount_in(root, "sys", "sysfs", KERNEL_ATTRIBUTES);
  put(proc, "sys/net/ipv4/ping_group_range", "0 2147483647");
  MUST(move_mount(dev, "", find(root, "dev"), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
  MUST(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
  MUST(mount("shm", "dev/shm", "tmpfs", KERNEL_FS, "mode=1777,size=65536k"));
  MUST(mount("mqueue", "dev/mqueue", "mqueue", KERNEL_FS, NULL));
  MUST(sethostname("nsrun", 5));
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  MUST(ioctl(MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), SIOCSIFFLAGS, &lo));
  MUST(prctl(PR_SET_DUMPABLE, 0));
  MUST(fchdir(root));
  MUST(syscall(SYS_pivot_root, ".", "."));
  MUST(umount2(".", MNT_DETACH));
  MUST(fchdir(root));
  char cwd[4096];
  if (!getcwd(cwd, sizeof cwd) || strcmp(cwd, "/") != 0) die("getcwd");
  for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++);
}

static struct __user_cap_header_struct cap_header = {.version = _LINUX_CAPABILITY_VERSION_3};
static struct __user_cap_data_struct all_caps[2]; /* which we have: for the command */

/* src/plan/security.ts: the command's, which are all; pid 1's, which is one */
static void keep(struct __user_cap_data_struct *caps) { MUST(syscall(SYS_capset, &cap_header, caps)); }

static void limit(int resource, rlim_t soft, rlim_t hard) {
  struct rlimit value = {soft, hard};
  MUST(setrlimit(resource, &value));
}

static void read_back(void) {
  char text[4096];
  int fd = MUST(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  int length = MUST(read(fd, text, sizeof text - 1));
  text[length] = 0;
  if (!strstr(text, "\nUid:\t0\t0\t0\t0\n")) die("status");
  MUST(close(fd));
}

/* src/plan/payload.ts: payloadSteps */
static void payload(int sock, int null) {
  if (setsid() < 0 && errno != EPERM) die("setsid");
  for (int fd = 0; fd < 3; fd++) MUST(dup3(null, fd, 0));
  struct rlimit files;
  MUST(getrlimit(RLIMIT_NOFILE, &files));
  limit(RLIMIT_NOFILE, 1024, files.rlim_max);
  limit(RLIMIT_CORE, 0, 0);
  MUST(syscall(SYS_setgroups, 0, NULL));
  MUST(syscall(SYS_setresgid, 0, 0, 0));
  MUST(syscall(SYS_setresuid, 0, 0, 0));
  MUST(prctl(PR_SET_DUMPABLE, 0));
  keep(all_caps);
  MUST(prctl(PR_SET_PDEATHSIG, SIGKILL));
  MUST(syscall(SYS_close_range, 3, sock - 1, 0));
  MUST(syscall(SYS_close_range, sock + 1, ~0U, 0));
  MUST(fcntl(sock, F_SETFD, FD_CLOEXEC));
  MUST(chdir("/"));
  umask(022);
  read_back();
  sigset_t none;
  sigemptyset(&none);
  MUST(sigprocmask(SIG_SETMASK, &none, NULL));
  MUST(execve(args[0], args, env));
}

/* pid 1: reaps until its command ends, reports that, ends with the same code. Trampoline: nsi_reap */
static void init(int sock, int null) {
  MUST(prctl(PR_SET_NAME, "nsrun-init"));
  pid_t child = MUST(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (child == 0) payload(sock, null);
  MUST(syscall(SYS_close_range, 0, sock - 1, 0));
  MUST(syscall(SYS_close_range, sock + 1, ~0U, 0));
  struct __user_cap_data_struct one[2] = {{1 << CAP_KILL, 1 << CAP_KILL, 0}};
  keep(one);
  MUST(prctl(PR_SET_DUMPABLE, 1));
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    if (sigwaitinfo(&all, NULL) != SIGCHLD) continue;
    for (int status; waitpid(-1, &status, WNOHANG) == child;) {
      int record[4] = {3, status, 0, 0};
      send(sock, record, sizeof record, MSG_NOSIGNAL);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
  }
}

static int once(double *us) {
  double begin = now_us();
  int null = MUST(open("/dev/null", O_RDWR | O_CLOEXEC)), pair[2], status, record[4];
  mode_t mask = umask(0);
  int root = make_root(), dev = make_dev();
  umask(mask);
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  sigset_t all, old;
  sigfillset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, &old));
  pid_t pid = MUST(syscall(SYS_clone, NAMESPACES | SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) {
    furnish(root, dev);
    if (with_init) init(pair[1], null);
    else payload(pair[1], null);
  }
  MUST(sigprocmask(SIG_SETMASK, &old, NULL));
  close(pair[1]);
  if (with_init) MUST(recv(pair[0], record, sizeof record, 0));
  MUST(waitpid(pid, &status, 0));
  *us = now_us() - begin;
  MUST(syscall(SYS_close_range, 3, ~0U, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: start serve|N ROOT [--no-init]\n"), 2;
  MUST(syscall(SYS_capget, &cap_header, all_caps));
  lower_path = argv[2];
  with_init = argc < 4 || strcmp(argv[3], "--no-init") != 0;
  return drive(argv[1], once);
}
