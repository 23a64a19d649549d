/** Ports by slirp4netns: asked for over its control socket when it is ready, before the container goes on. */
import { NsrunError } from "../errors.ts";
import { must, sys } from "../ffi/syscall.ts";
import type { RelayStep } from "../plan/step.ts";
import type { Slots } from "./slots.ts";

const F_DUPFD_CLOEXEC = 1030;

/** Waits in the event loop for the first byte from `fd`, which is closed. False: the other end went without one. */
async function heard(fd: number): Promise<boolean> {
  const reader = Bun.file(fd).stream().getReader();
  try {
    const { value } = await reader.read();
    return value !== undefined && value.length > 0;
  } finally {
    await reader.cancel();
    sys("close", fd);
  }
}

/** One request, one connection, one answer: slirp4netns(1), API SOCKET. */
async function ask(path: string, request: string): Promise<string> {
  const answer = Promise.withResolvers<string>();
  let text = "";
  await Bun.connect({
    unix: path,
    allowHalfOpen: true,
    socket: {
      open: (socket) => {
        socket.write(request);
        socket.shutdown(); // writing only: the request is complete
      },
      data: (_, chunk) => {
        text += chunk.toString();
      },
      close: () => answer.resolve(text),
      error: (_, error) => answer.reject(error),
    },
  });
  return answer.promise;
}

async function publishAll({ socket, requests }: RelayStep["relay"]): Promise<void> {
  for (const request of requests) {
    const answer = await ask(socket, request);
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
    const ready = await heard(keep(what.heard));
    if (!ready) return;
    try {
      await publishAll(what);
    } finally {
      sys("unlinkat", -100, what.socket, 0);
    }
    sys("write", wake, new Uint8Array(new ArrayBuffer(1)).fill(49), 1);
  } finally {
    sys("close", wake);
  }
}
