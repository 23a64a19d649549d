/**
 * A terminal of the container's own: pty(7), devpts. The container makes the pair in its own devpts instance, so that `tty`
 * inside finds a name and the caller's terminal is not in there at all; the master goes to the stage over a socket.
 */
import { AT, AT_FDCWD, MOVE_MOUNT, O, OPEN_TREE, RESOLVE, S } from "../ffi/flags.ts";
import { enterDev } from "./dev.ts";
import { messageText, openHow, placeholder, step } from "./list.ts";
import type { ContainerSpec, TerminalSpec } from "./spec.ts";
import { REG, type SyscallStep, slot, type Words } from "./step.ts";

/** asm-generic/ioctls.h; the same numbers on x86_64 and aarch64. */
const TCSETS = 0x5402;
const TIOCSCTTY = 0x540e;
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;

const OPEN = O.O_RDWR | O.O_NOCTTY | O.O_CLOEXEC;
const zero = { bytes: new Uint8Array(8), text: "[0]" };

/** struct winsize, as strace prints it. */
function windowText(size: Uint8Array): string {
  const [row, col, x, y] = new Uint16Array(size.slice().buffer);
  return `{ws_row=${row}, ws_col=${col}, ws_xpixel=${x}, ws_ypixel=${y}}`;
}

/** struct msghdr with one byte and, by SCM_RIGHTS, one descriptor: unix(7), cmsg(3). */
function descriptorMessage(fd: string): Words {
  const iov: Words = { words: [{ bytes: Uint8Array.of(0), text: "" }, 1], text: "" };
  const control: Words = { words: [20, 1 /* SOL_SOCKET */ + 1 /* SCM_RIGHTS */ * 2 ** 32, slot(fd)], text: "" };
  return { words: [0, 0, iov, 1, control, 24, 0], text: messageText('"\\0"', 1, `[<${fd}>]`) };
}

export const terminalPrepare = (spec: ContainerSpec): SyscallStep[] =>
  spec.process.terminal ? [placeholder("tty.master"), placeholder("tty.slave")] : [];

const CLONE = OPEN_TREE.OPEN_TREE_CLONE | OPEN_TREE.OPEN_TREE_CLOEXEC | AT.AT_EMPTY_PATH;
const { MOVE_MOUNT_F_EMPTY_PATH } = MOVE_MOUNT;

/** /dev/console is the terminal: a bind, since the node itself would be the host's console. */
function console(): SyscallStep[] {
  return [
    enterDev(),
    step("container", "a place for /dev/console", "mknodat", [AT_FDCWD, "console", S.S_IFREG | 0o620, 0]),
    step("container", "clone the mount of the slave", "open_tree", [slot("tty.slave"), "", CLONE], {
      store: true,
      why: "pts/0 could be a link of a volume on /dev/pts (CVE-2025-52565)",
    }),
    step("container", "bind the terminal on it", "move_mount", [REG, "", AT_FDCWD, "console", MOVE_MOUNT_F_EMPTY_PATH]),
    step("container", "return to the new root", "fchdir", [slot("root")]),
  ];
}

/** The slot "dev" is our own tmpfs, whatever lies at that path by now; a volume may cover its pts. */
const ownPtmx = (): SyscallStep =>
  step(
    "container",
    "open a new terminal's master",
    "openat2",
    [slot("dev"), "pts/ptmx", openHow(OPEN | O.O_NONBLOCK, RESOLVE.RESOLVE_BENEATH | RESOLVE.RESOLVE_NO_SYMLINKS), 24],
    { store: true, why: "a link in a volume on /dev/pts would lead to the host's terminals" },
  );
const callersPtmx = (): SyscallStep =>
  step("container", "open a new terminal's master", "openat", [AT_FDCWD, "/dev/ptmx", OPEN | O.O_NONBLOCK, 0], { store: true });

export function terminalSteps(spec: ContainerSpec): SyscallStep[] {
  const { terminal } = spec.process;
  if (!terminal) return [];
  const { termios, size } = terminal;
  return [
    spec.root ? ownPtmx() : callersPtmx(),
    step("container", "keep it by number", "dup3", [REG, slot("tty.master"), O.O_CLOEXEC]),
    step("container", "unlock its slave", "ioctl", [slot("tty.master"), TIOCSPTLCK, zero]),
    step("container", "open its slave", "ioctl", [slot("tty.master"), TIOCGPTPEER, OPEN], {
      store: true,
      why: "by the master, not by a path that could lead elsewhere",
    }),
    step("container", "keep it by number", "dup3", [REG, slot("tty.slave"), O.O_CLOEXEC]),
    step("container", "its size", "ioctl", [slot("tty.slave"), TIOCSWINSZ, { bytes: size, text: windowText(size) }]),
    ...(termios
      ? [step("container", "the caller's modes", "ioctl", [slot("tty.slave"), TCSETS, { bytes: termios, text: "termios" }])]
      : []),
    ...(spec.root ? console() : []),
    step("container", "send the master to the stage", "sendmsg", [
      slot("tty.send"),
      descriptorMessage("tty.master"),
      0x4000 /* MSG_NOSIGNAL */,
    ]),
  ];
}

/** The command's side, in its new session. */
export const controllingTerminal = (spec: ContainerSpec): SyscallStep[] =>
  spec.process.terminal ? [step("payload", "make it the controlling terminal", "ioctl", [slot("tty.slave"), TIOCSCTTY, 0])] : [];

/** The stage's descriptors 0, 1, 2 as watch.c wants them. */
export const stageTerminal = (terminal: TerminalSpec | undefined): SyscallStep[] =>
  terminal
    ? ["tty.in", "tty.out", "tty.link"].map((name, fd) => step("stage", `descriptor ${fd}: ${name}`, "dup3", [slot(name), fd, 0]))
    : [];

/** The argument of watch: TERMINAL, INPUT, EOF_KEY of watch.c. */
export function watchMode(terminal: TerminalSpec | undefined): number {
  if (!terminal) return 0;
  return 1 | (terminal.input ? 2 : 0) | (terminal.input && !terminal.caller ? 4 : 0);
}

/** Should nsrun be dead: else it has done so itself, before this. */
export const restoreCaller = (terminal: TerminalSpec | undefined): SyscallStep[] =>
  terminal?.caller
    ? [
        step("stage", "the caller's terminal as it was", "restore_terminal", [
          0,
          { bytes: terminal.caller.raw, text: "raw termios" },
          { bytes: terminal.caller.saved, text: "saved termios" },
        ]),
      ]
    : [];
