/** Ports by slirp4netns: asked for over its control socket when it is ready, before the container goes on. */
import { NsrunError } from "../errors.ts";
import { failed, must, sys } from "../ffi/syscall.ts";
import type { RelayStep } from "../plan/step.ts";
import type { Slots } from "./slots.ts";

const F_DUPFD_CLOEXEC = 1030;
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC_NONBLOCK = 1 | 0x80000 | 0x800;
const SECONDS = 5;

/** The program's pipe: a byte when it is ready, then nothing until it ends. */
class Pipe {
  readonly #reader;
  alive = true;
  constructor(readonly fd: number) {
    this.#reader = Bun.file(fd).stream().getReader();
  }
  /** False: it has ended without a word. */
  async ready(): Promise<boolean> {
    const { value } = await this.#reader.read();
    const ended = () => {
      this.alive = false;
    };
    this.#reader.read().then(ended, ended);
    return value !== undefined && value.length > 0;
  }
  async close(): Promise<void> {
    await this.#reader.cancel();
    sys("close", this.fd);
  }
}

/**
 * A connection to slirp4netns: a descriptor. It says that it is ready before it listens on its control socket, and says
 * nothing then, so connecting is the only way to learn: until it listens, or ends, or this has taken seconds.
 */
async function connection(path: string, pipe: Pipe): Promise<number> {
  const end = performance.now() + SECONDS * 1000;
  const name = Buffer.from(`\x01\0${path}\0`); // struct sockaddr_un: unix(7)
  for (;;) {
    const fd = must("make a socket", "socket", AF_UNIX, SOCK_STREAM_CLOEXEC_NONBLOCK, 0);
    const result = sys("connect", fd, name, name.length);
    if (result === 0) return fd;
    sys("close", fd);
    if (!pipe.alive || performance.now() > end) throw failed(result, `connect to ${path}`);
    await Bun.sleep(1);
  }
}

/** One request, one connection, one answer: slirp4netns(1), API SOCKET. Closes `fd`. */
async function ask(fd: number, request: string): Promise<string> {
  const answer = Promise.withResolvers<string>();
  let text = "";
  const socket = {
    open: (to: { write(text: string): unknown; shutdown(): unknown }) => {
      to.write(request);
      to.shutdown(); // the writing side: the request is complete
    },
    data: (_: unknown, chunk: Buffer) => {
      text += chunk.toString();
    },
    end: () => answer.resolve(text),
    close: () => answer.resolve(text),
    error: (_: unknown, error: Error) => answer.reject(error),
  };
  // `fd` as in channel.ts
  await Bun.connect({ fd, allowHalfOpen: true, socket } as unknown as Parameters<typeof Bun.connect>[0]).then((to) =>
    answer.promise.finally(() => to.end()),
  );
  return text;
}

async function publishAll({ socket, requests }: RelayStep["relay"], pipe: Pipe): Promise<void> {
  for (const request of requests) {
    const answer = await ask(await connection(socket, pipe), request);
    if (!answer.includes('"return"')) throw new NsrunError(`it refused ${request}: ${answer.trim() || "no answer"}`);
  }
}

/**
 * Goes on beside the container, which waits for one byte. Without it the pipe ends and the container with it.
 * Rejects with the reason, where there is one; the program's own words are elsewhere.
 */
export async function relay(what: RelayStep["relay"], slots: Slots): Promise<void> {
  // descriptors of our own: the slots are closed while we still wait
  const keep = (name: string) => must("keep a pipe", "fcntl", slots.get(name), F_DUPFD_CLOEXEC, 0);
  const wake = keep(what.wake);
  try {
    const pipe = new Pipe(keep(what.heard));
    try {
      if (!(await pipe.ready())) return;
      await publishAll(what, pipe);
    } finally {
      await pipe.close();
      sys("unlinkat", -100, what.socket, 0);
    }
    sys("write", wake, new Uint8Array(new ArrayBuffer(1)).fill(49), 1);
  } finally {
    sys("close", wake);
  }
}
