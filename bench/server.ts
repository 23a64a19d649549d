/** A process that makes one operation for each line it is given and answers "STATUS MICROSECONDS…". */
import { mkdirSync } from "node:fs";

export const OUT = `${import.meta.dir}/out`;

export interface Sample {
  readonly status: number;
  /** One or more durations of the same operation. */
  readonly us: readonly number[];
}

export class Server {
  readonly #process: Bun.Subprocess<"pipe", "pipe", Bun.BunFile>;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #errors: Bun.BunFile;
  #text = "";

  constructor(name: string, argv: readonly string[]) {
    mkdirSync(OUT, { recursive: true });
    this.#errors = Bun.file(`${OUT}/${name.replace(/[^\w]+/g, "-")}.stderr`);
    this.#process = Bun.spawn([...argv], { stdin: "pipe", stdout: "pipe", stderr: this.#errors });
    this.#chunks = this.#process.stdout[Symbol.asyncIterator]();
  }

  /** `count` operations in a row. Throws when the process has ended; its stderr is in {@link why}. */
  async times(count: number): Promise<Sample[]> {
    this.#process.stdin.write("go\n".repeat(count));
    await this.#process.stdin.flush();
    const samples: Sample[] = [];
    while (samples.length < count) {
      const [status = Number.NaN, ...us] = (await this.#line()).split(" ").map(Number);
      samples.push({ status, us });
    }
    return samples;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#chunks.next();
      if (done) throw new Error("it ended without an answer");
      this.#text += new TextDecoder().decode(value);
    }
  }

  /** The last line it or its command wrote to stderr. */
  async why(): Promise<string> {
    return (await this.#errors.text()).trim().split("\n").at(-1) ?? "";
  }

  async end(): Promise<void> {
    this.#process.stdin.end();
    await this.#process.exited;
  }
}

/**
 * A round-robin of `rounds` over all servers, so that noise hits all alike. In each turn a server makes `burst` operations
 * in a row; of more than one the first is not counted: it pays for the pause (a sleeping core, cold caches), not for the work.
 */
export async function interleave(servers: ReadonlyMap<string, Server>, rounds: number, pause: number, burst = 1) {
  const samples = new Map<string, Sample[]>([...servers.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, server] of servers) {
      const turn = await server.times(burst);
      const bad = turn.find(({ status }) => status !== 0);
      if (bad) throw new Error(`${name}: exit code ${bad.status} in round ${round}: ${await server.why()}`);
      samples.get(name)?.push(...(burst === 1 ? turn : turn.slice(1)));
      await Bun.sleep(pause);
    }
  }
  return samples;
}
