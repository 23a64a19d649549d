/*
 * Follows trampoline.c and obeys the same law: what a stage must find out or put right where one system call cannot do
 * it, run where the plan says so. Each answers like a system call: -errno when the container must not start.
 */
/* PR_SET_PDEATHSIG came too late for a stage that was dead already: its pidfd, opened by itself and inherited, tells. */
static long nsi_guard(long pidfd) {
  struct pollfd w[1];
  long now[2];
  w[0].fd = pidfd;
  w[0].events = 1;
  w[0].revents = 0;
  now[0] = 0;
  now[1] = 0;
  return nsi_sys(SYS_ppoll, (long)w, 1, (long)now, 0, 8, 0) == 0 ? 0 : -3; /* ESRCH */
}

/* Without a pid namespace of the container's own its orphans come to the stage, a subreaper: none outlives the container.
 * path: /proc/thread-self/children, pids with a blank after each. What a killed one leaves behind comes next time. */
static void nsi_sweep(long path) {
  char text[512];
  long fd, i, n, pid;
  for (;;) {
    fd = nsi_sys(SYS_openat, -100, path, 0x80000 /* O_CLOEXEC */, 0, 0, 0);
    n = nsi_sys(SYS_read, fd, (long)text, 512, 0, 0, 0);
    nsi_sys(SYS_close, fd, 0, 0, 0, 0, 0);
    if (n <= 0) return;
    pid = 0;
    for (i = 0; i < n; i++) {
      if (text[i] >= '0' && text[i] <= '9') pid = pid * 10 + text[i] - '0';
      else {
        nsi_sys(SYS_kill, pid, 9, 0, 0, 0, 0);
        nsi_sys(SYS_wait4, pid, 0, 0, 0, 0, 0);
        pid = 0;
      }
    }
  }
}

/* getcwd(2) of a directory that is not below the root begins with "(unreachable)", not with a slash. */
static long nsi_rooted(void) {
  char path[4096];
  long r;
  r = nsi_sys(SYS_getcwd, (long)path, 4096, 0, 0, 0, 0);
  return r > 0 && path[0] != '/' ? -18 /* EXDEV */ : r;
}

/* Out of the bounding set goes every capability that is not in `keep`, those that only younger kernels know as well. */
static long nsi_bound(long keep) {
  long cap, r;
  for (cap = 0; cap < 64; cap++) {
    r = nsi_sys(SYS_prctl, 23 /* PR_CAPBSET_READ */, cap, 0, 0, 0, 0);
    if (r == -22) return 0; /* EINVAL: that was the last one */
    if (r == 1 && !((keep >> cap) & 1)) r = nsi_sys(SYS_prctl, 24 /* PR_CAPBSET_DROP */, cap, 0, 0, 0, 0);
    if (r < 0) return r;
  }
  return 0;
}

/* Whether what `fd` is open on lies on the mount of one of the others (up to the first that is 0): statx(2)'s stx_mnt_id. */
static long nsi_on_mounts(long fd, long *others) {
  long now[32], one[32]; /* struct statx: 256 bytes, the id at 144 */
  long i, r;
  long empty; /* a string in the text would be data beside the code */
  empty = 0;
  r = nsi_sys(SYS_statx, fd, (long)&empty, 0x1000 /* AT_EMPTY_PATH */, 0x1000 /* STATX_MNT_ID */, (long)now, 0);
  for (i = 0; r >= 0 && i < 5 && others[i]; i++) {
    r = nsi_sys(SYS_statx, others[i], (long)&empty, 0x1000, 0x1000, (long)one, 0);
    if (r >= 0 && now[18] == one[18]) return 0;
  }
  return r < 0 ? r : -18; /* EXDEV */
}

#define EBADMSG 74

/* What is read back is the kernel's word only if it comes from a procfs. */
static long nsi_is_proc(long fd) {
  long now[16]; /* struct statfs: 120 bytes, f_type the first */
  long r;
  now[0] = 0;
  r = nsi_sys(SYS_fstatfs, fd, (long)now, 0, 0, 0, 0);
  return r < 0 ? r : now[0] == 0x9fa0 /* PROC_SUPER_MAGIC */ ? 0 : -EBADMSG;
}

/* Read back from a file of /proc: the lines of `text`, in this order, are lines of it (of its first 16 kB: the longest
 * map that nsrun writes, 2000 groups). The answer: what status says at FDSize, which no open descriptor reaches. pread: at 0 the kernel writes the
 * file anew. A map comes by the page, as many lines as fit, so that a read of less is the last one. */
static long nsi_says(long fd, char *text, long length) {
  char now[16384];
  long n, r, i, k, end;
  r = nsi_is_proc(fd);
  if (r < 0) return r;
  n = 0;
  do {
    r = nsi_sys(SYS_pread64, fd, (long)now + n, 16384 - n, n, 0, 0);
    if (r < 0) return r;
    n += r;
  } while (r > 4000 && n < 16384);
  k = 0; /* where the next line of the text begins */
  for (i = 0; i < n && k < length; i = end + 1) {
    for (end = i; end < n && now[end] != '\n' && now[end] == text[k + end - i]; end++);
    if (end < n && now[end] == text[k + end - i]) k += end + 1 - i;
    while (end < n && now[end] != '\n') end++;
  }
  if (k < length) return -EBADMSG;
  for (i = 1; i + 8 < n; i++) if (now[i - 1] == '\n' && now[i] == 'F' && now[i + 1] == 'D' && now[i + 2] == 'S') break;
  k = 0;
  for (i += 8; i < n && now[i] >= '0' && now[i] <= '9'; i++) k = k * 10 + now[i] - '0';
  return k;
}

/* Read back: of all descriptors below `end` those above the standard streams are close-on-exec. Asked one by one: a list of
 * self/fd costs five times as much, since each of its entries becomes an inode. */
static long nsi_descriptors(long end) {
  long fd, r;
  for (fd = 3; fd < end; fd++) {
    r = nsi_sys(SYS_fcntl, fd, 1 /* F_GETFD */, 0, 0, 0, 0);
    if (r != -9 /* EBADF */ && r != 1 /* FD_CLOEXEC */) return r < 0 ? r : -EBADMSG;
  }
  return end > 3 ? 0 : -EBADMSG;
}

/* Read back: the working directory is the root directory. */
static long nsi_at_root(void) {
  char path[4096];
  long r;
  r = nsi_sys(SYS_getcwd, (long)path, 4096, 0, 0, 0, 0);
  return r < 0 ? r : r == 2 && path[0] == '/' ? 0 : -EBADMSG;
}
