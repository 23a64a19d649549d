/** One rtnetlink socket, netlink(7), rtnetlink(7). Synchronous: the kernel does the work inside sendto and answers before it returns. */
import { type NetlinkError, NsrunError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { Fd } from "../ffi/fd.ts";
import { bytes, failed, must, sys } from "../ffi/syscall.ts";
import { concat, viewOf } from "./attrs.ts";
import { HINTS, refused } from "./failure.ts";
import { findLink } from "./link.ts";
import { encodeMessage, isPlainAck, type Message, NLM_F, NLMSG, parseAck, parseMessages, type Request } from "./message.ts";
import { inNetns } from "./netns.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
/** Each message may fail and the default receive buffer holds about 256 answers; unread ones beyond it are lost. */
const BATCH = 200;
/** The kernel fills at most 32 kB a read when it dumps. */
const RECEIVE = 32768;
/** Most sends are smaller: their buffer is made once. */
const SEND = 4096;
const DUMP_TRIES = 8;

/** linux/sockios.h; struct ifreq of netdevice(7): name, then the index. */
const SIOCGIFINDEX = 0x8933;
const ifreq = bytes(40);

// Shared by all sockets: a call fills and empties them without an await.
const received = bytes(RECEIVE);
const sent = bytes(SEND);
const from = bytes(12);
const fromLength = bytes(4);

/** A socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE). It stays in the network namespace where it was opened. */
export class NetlinkSocket implements Disposable {
  readonly #fd: Fd;
  #seq = 0;

  /** Takes over a NETLINK_ROUTE descriptor, such as one that a helper opened in its own namespaces. */
  constructor(fd: Fd) {
    this.#fd = fd;
    const on = bytes(4);
    on[0] = 1;
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK])
      must("set netlink socket option", "setsockopt", fd.number, SOL_NETLINK, option, on, 4);
  }

  /** A socket of the current network namespace. Throws SyscallError. */
  static open(): NetlinkSocket {
    const fd = Fd.from("open netlink socket", "socket", AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
    try {
      return new NetlinkSocket(fd);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** A socket of the network namespace behind a descriptor of /proc/PID/ns/net: `ip -n`. Throws SyscallError. */
  static openIn(netns: number): NetlinkSocket {
    return inNetns(netns, () => NetlinkSocket.open());
  }

  /**
   * if_nametoindex(3), by ioctl: a link asked for over rtnetlink comes with 1.5 kB that somebody has to parse (0.2 ms, cold).
   * Throws NetlinkError when there is none.
   */
  indexOf(dev: string): number {
    ifreq.fill(0);
    const { written } = new TextEncoder().encodeInto(dev, ifreq.subarray(0, 15));
    const found = written === Buffer.byteLength(dev) && sys("ioctl", this.#fd.number, SIOCGIFINDEX, ifreq) === 0;
    return found ? new DataView(ifreq.buffer).getInt32(16, true) : findLink(this, dev).index; // which says what is wrong
  }

  /**
   * Sends the requests in order, many in one send (`ip -batch`). Throws NetlinkError for the first that failed.
   * The kernel does not stop at an error: later requests of the same send (up to 200) have been tried; undo is the caller's.
   */
  run(requests: readonly Request[]): void {
    for (let at = 0; at < requests.length; at += BATCH) this.#exchange(requests.slice(at, at + BATCH));
  }

  /** One request that is answered with one message, such as RTM_GETLINK by name. Throws NetlinkError. */
  get(request: Request): Message {
    const [message] = this.#exchange([request]);
    if (!message) throw new NsrunError(`${request.label}: no answer from the kernel`);
    return message;
  }

  /** All objects of a kind: `ip link`, `ip address`, `ip route`. Asked again when they changed meanwhile. Throws NetlinkError. */
  dump(request: Request): Message[] {
    for (let tries = 0; tries < DUMP_TRIES; tries++) {
      const seq = this.#send([request], NLM_F.DUMP);
      const out: Message[] = [];
      let interrupted = false;
      for (let done = false; !done; ) {
        const length = this.#read(request.label);
        // a copy: the messages outlive the buffer
        for (const message of parseMessages(received.slice(0, length))) {
          if (message.seq !== seq) continue;
          interrupted ||= (message.flags & NLM_F.DUMP_INTR) !== 0;
          if (message.type === NLMSG.DONE || message.type === NLMSG.ERROR) {
            const ack = parseAck(message);
            if (ack.errno !== 0) throw refused(request, ack);
            done = true;
          } else out.push(message);
        }
      }
      if (!interrupted) return out;
    }
    throw new NsrunError(`${request.label}: it changed during each of ${DUMP_TRIES} attempts to read it`);
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }

  /** Sends; only the last request asks for an acknowledgement. Returns the sequence number of the last one. */
  #send(requests: readonly Request[], lastFlags: number): number {
    const first = this.#seq + 1;
    this.#seq += requests.length;
    const message = concat(requests.map((r, i) => encodeMessage(r, first + i, i === requests.length - 1 ? lastFlags : 0)));
    const out = message.length <= sent.length ? sent : bytes(message.length);
    out.set(message);
    must(`${requests[0]?.label}: send`, "sendto", this.#fd.number, out, message.length, 0, null, 0);
    return this.#seq;
  }

  /** Sends a batch and reads up to the acknowledgement of its last message. Returns what is neither error nor end. */
  #exchange(requests: readonly Request[]): Message[] {
    const last = this.#send(requests, NLM_F.ACK);
    const first = last - requests.length + 1;
    const out: Message[] = [];
    let error: NetlinkError | undefined;
    for (let done = false; !done; ) {
      const length = this.#read(requests[0]?.label ?? "");
      if (isPlainAck(received, length, last)) break;
      for (const message of parseMessages(received.slice(0, length))) {
        const request = requests[message.seq - first];
        if (!request) continue;
        if (message.type !== NLMSG.ERROR) {
          out.push(message);
          continue;
        }
        const ack = parseAck(message);
        if (ack.errno !== 0) error ??= refused(request, ack);
        done ||= message.seq === last;
      }
    }
    if (error) throw error;
    return out;
  }

  /** The length of one datagram of the kernel's. It is there already, so a missing one is an error (EAGAIN) and not a wait. */
  #read(doing: string): number {
    for (;;) {
      viewOf(fromLength).setUint32(0, from.length, true);
      const flags = MSG_TRUNC | MSG_DONTWAIT;
      const length = sys("recvfrom", this.#fd.number, received, RECEIVE, flags, from, fromLength);
      if (length === -4) continue; // EINTR
      if (length < 0) throw failed(length, `${doing}: read the kernel's answer`, HINTS[errnoName(-length)]);
      if (length > RECEIVE) throw new NsrunError(`${doing}: the kernel's answer has ${length} bytes, room is for ${RECEIVE}`);
      // sockaddr_nl {u16 family, u16 pad, u32 pid, u32 groups}: pid 0 is the kernel, all else is not for us
      if (viewOf(from).getUint32(4, true) !== 0) continue;
      return length;
    }
  }
}
