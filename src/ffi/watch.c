/*
 * The stage's life: it waits for the container's end or for the supervisor's, and carries the bytes of the container's
 * terminal meanwhile. Part of trampoline.c's text, under the same law.
 *
 * With a terminal the stage's descriptors are 0 the caller's input, 1 the caller's terminal or output, 2 a socket. Over the
 * socket the container sends the master of the pty that it made in its own devpts instance; each further byte, from nsrun,
 * says that the caller's window has another size (or that nsrun is in the foreground again), or DISCARD.
 */
#define POLLIN 1
#define POLLOUT 4
#define EAGAIN 11
#define EINTR 4
#define EIO 5
#define TCGETS 0x5401
#define LOOK 20000000        /* ns */
#define CHUNK 4096           /* what a pty or a pipe takes at once */
#define TERMINAL 1           /* bits of watch's argument: there is a terminal */
#define INPUT 2              /* it gets the caller's input */
#define DISCARD 1            /* a byte of nsrun's: all is to end now, output that nobody takes is not waited for */
#define EOF_KEY 4            /* input is no terminal: its end is said with ^D */

struct msghdr { long name; long namelen; long *iov; long iovlen; long *control; long controllen; long flags; };

struct relay {
  long master;               /* -1: not yet, or no longer */
  long slave;                /* held so that the master does not hang up while the command has the terminal closed */
  long input;                /* the caller's input is read */
  long eof;                  /* the input has ended: 1, or 2 in the middle of a line */
  long paused;               /* not in the foreground: read(2) says EIO, and again only after a message */
  long link;                 /* the socket is open */
  long looked;               /* when the container's queue was looked at last, ns */
  long lost;                 /* the errno for which output could not be written */
  long up, up_at;            /* bytes towards the container: how many, how many of them written */
  long down, down_at;        /* bytes towards the caller */
  char up_data[CHUNK];
  char down_data[CHUNK];
};

/* A message on the socket: the master, or nothing but the wish to look at the window's size. */
static void nsi_hang_up(struct relay *r);
static void nsi_adopt(struct relay *r) {
  struct msghdr m;
  long iov[2];
  long control[4];
  char byte[8];
  long n, i;
  iov[0] = (long)byte;
  iov[1] = 8;
  m.name = 0;
  m.namelen = 0;
  m.iov = iov;
  m.iovlen = 1;
  m.control = control;
  m.controllen = 32;
  m.flags = 0;
  n = nsi_sys(SYS_recvmsg, 2, (long)&m, 0x40000040 /* MSG_CMSG_CLOEXEC|MSG_DONTWAIT */, 0, 0, 0);
  if (n == 0) r->link = 0;
  if (n <= 0) return;
  if (m.controllen >= 20 && r->master < 0) {
    r->master = *(int *)(control + 2);
    r->slave = nsi_sys(SYS_ioctl, r->master, 0x5441 /* TIOCGPTPEER */, 0x80102 /* O_RDWR|O_NOCTTY|O_CLOEXEC */, 0, 0, 0);
  }
  r->paused = 0;
  for (i = 0; i < n; i++) if (byte[i] == DISCARD) nsi_hang_up(r);
  if (nsi_sys(SYS_ioctl, 1, 0x5413 /* TIOCGWINSZ */, (long)byte, 0, 0, 0) == 0 ||
      nsi_sys(SYS_ioctl, 0, 0x5413, (long)byte, 0, 0, 0) == 0)
    nsi_sys(SYS_ioctl, r->master, 0x5414 /* TIOCSWINSZ */, (long)byte, 0, 0, 0);
}

/* Nobody reads the caller's side any more: as when a line is cut, the session inside gets SIGHUP and reads end. */
static void nsi_hang_up(struct relay *r) {
  if (r->slave >= 0) nsi_sys(SYS_close, r->slave, 0, 0, 0, 0, 0);
  if (r->master >= 0) nsi_sys(SYS_close, r->master, 0, 0, 0, 0, 0);
  r->slave = -1;
  r->master = -1;
  r->down = 0;
  r->up = 0;
  r->input = 0;
}

static long nsi_passing(long n) { return n == -EAGAIN || n == -EINTR; }

static void nsi_read_input(struct relay *r, long terminal) {
  long n;
  n = nsi_sys(SYS_read, 0, (long)r->up_data, CHUNK - 2, 0, 0, 0);
  if (n > 0) {
    r->up = n;
    r->up_at = 0;
    r->eof = r->up_data[n - 1] == '\n' ? 1 : 2;
  } else if (n == -EIO && !(terminal & EOF_KEY)) r->paused = 1;
  else if (!nsi_passing(n)) {
    r->input = 0;
    if (n < 0 || !(terminal & EOF_KEY)) r->eof = 0;
  }
}

/* An input that has ended stays ended: whenever the container has read all there is, one more ^D lies ready (termios(3), VEOF).
 * A line editor in the midst of a line wants Enter instead, where a canonical terminal gives the line out at ^D.
 * The kernel has no event for a queue that was read empty, hence the looking. */
static void nsi_end_input(struct relay *r) {
  struct pollfd w[1];
  char modes[64];
  long now[2];
  w[0].fd = r->slave;
  w[0].events = POLLIN;
  w[0].revents = 0;
  now[0] = 0;
  now[1] = 0;
  if (r->slave < 0 || nsi_sys(SYS_ppoll, (long)w, 1, (long)now, 0, 8, 0) != 0) return;
  if (nsi_sys(SYS_ioctl, r->slave, TCGETS, (long)modes, 0, 0, 0) < 0) return;
  r->up_data[0] = r->eof == 2 && !(modes[12] & 2 /* ICANON */) ? '\r' : 4;
  r->eof = 1;
  r->up = 1;
  r->up_at = 0;
}

/* Whether it is time to look again: output would otherwise wake us, and who reads letter by letter would have nothing but ^D. */
static long nsi_due(struct relay *r) {
  long now[2], ns;
  nsi_sys(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, (long)now, 0, 0, 0, 0);
  ns = now[0] * 1000000000 + now[1];
  if (ns - r->looked < LOOK) return 0;
  r->looked = ns;
  return 1;
}

/* Moves what can be moved without waiting. Returns whether more may come from the container. */
static long nsi_carry(struct relay *r) {
  long n;
  if (r->up && r->master >= 0) {
    n = nsi_sys(SYS_write, r->master, (long)r->up_data + r->up_at, r->up - r->up_at, 0, 0, 0);
    if (n > 0) r->up_at += n;
    if (r->up_at == r->up || (n < 0 && !nsi_passing(n))) r->up = 0;
  }
  if (!r->down && r->master >= 0) {
    n = nsi_sys(SYS_read, r->master, (long)r->down_data, CHUNK, 0, 0, 0);
    if (nsi_passing(n)) return 0;
    if (n <= 0) { /* EIO: the session is gone, and every holder of the slave with it */
      nsi_hang_up(r);
      return 0;
    }
    r->down = n;
    r->down_at = 0;
  }
  return r->down;
}

static void nsi_write_output(struct relay *r) {
  long n;
  n = nsi_sys(SYS_write, 1, (long)r->down_data + r->down_at, r->down - r->down_at, 0, 0, 0);
  if (n > 0) r->down_at += n;
  if (r->down_at == r->down) r->down = 0;
  else if (n < 0 && !nsi_passing(n)) {
    r->lost = -n;
    nsi_hang_up(r);
  }
}

static void nsi_want(struct pollfd *w, long fd, long events) {
  w->fd = events ? fd : -1;
  w->events = events;
  w->revents = 0;
}

/* Until the container is dead and its last output written. A hang-up of the socket is the supervisor's death at whatever
 * instant, kill -9 included: the container is killed, reaped, and nothing is left. */
static void nsi_watch(long pid, long sock, long terminal) {
  struct relay r;
  struct pollfd w[6];
  int status;
  int rec[4];
  long look[2];
  long fd, orphaned, dead, ended;
  r.master = -1;
  r.slave = -1;
  r.input = terminal & INPUT;
  r.eof = 1;
  r.paused = 0;
  r.link = terminal & TERMINAL;
  r.up = 0;
  r.down = 0;
  r.looked = 0;
  r.lost = 0;
  orphaned = 0;
  dead = 0;
  fd = nsi_sys(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
  if (fd < 0) nsi_sys(SYS_kill, pid, 9, 0, 0, 0, 0);
  while (fd >= 0) {
    nsi_want(w, fd, dead ? 0 : POLLIN);
    nsi_want(w + 1, sock, 0);
    w[1].fd = orphaned ? -1 : sock; /* POLLHUP comes unasked */
    nsi_want(w + 2, 2, r.link ? POLLIN : 0);
    nsi_want(w + 3, r.master, r.master < 0 ? 0 : (r.down ? 0 : POLLIN) | (r.up ? POLLOUT : 0));
    nsi_want(w + 4, 0, r.input && !r.paused && !r.up && r.master >= 0 && !dead ? POLLIN : 0);
    nsi_want(w + 5, 1, r.down ? POLLOUT : 0);
    ended = (terminal & INPUT) && !r.input && r.eof && !r.up && r.master >= 0;
    look[0] = 0;
    look[1] = LOOK;
    if (nsi_sys(SYS_ppoll, (long)w, 6, ended ? (long)look : 0, 0, 8, 0) < 0) continue;
    if (ended && nsi_due(&r)) nsi_end_input(&r);
    if (w[1].revents) {
      orphaned = 1;
      nsi_sys(SYS_pidfd_send_signal, fd, 9, 0, 0, 0, 0);
    }
    if (w[2].revents) nsi_adopt(&r);
    if (w[4].revents) nsi_read_input(&r, terminal);
    if (w[5].revents) nsi_write_output(&r);
    if (w[3].revents) nsi_carry(&r);
    if (w[0].revents) dead = 1;
    /* what the command wrote before it died is still in the pty; with the supervisor dead nobody wants it */
    if (dead && (orphaned || (!r.down && !nsi_carry(&r)))) break;
  }
  nsi_sys(SYS_wait4, pid, (long)&status, 0, 0, 0, 0);
  nsi_send(sock, rec, R_WATCHED, status, fd < 0 ? fd : r.lost);
}

/* The caller's terminal back to its former mode, when it is still in ours: with nsrun killed its shell may have been faster.
 * raw, saved: struct termios of the kernel, 36 bytes. */
static long nsi_restore(long fd, char *raw, long saved) {
  char now[64];
  long i;
  if (nsi_sys(SYS_ioctl, fd, TCGETS, (long)now, 0, 0, 0) < 0) return 0;
  for (i = 0; i < 36; i++) if (now[i] != raw[i]) return 0;
  nsi_sys(SYS_ioctl, fd, 0x5402 /* TCSETS */, saved, 0, 0, 0);
  return 0;
}
