/**
 * An ordinary user with ranges of ids. As root: one who exists in a private mount namespace only: the machine's /etc/passwd,
 * subuid and subgid stay as they are. Else it is ourselves, when the ranges are these (test/as-user.sh).
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { BUN, CHECKOUT, copyOfNsrun, isRoot, NSRUN, type Outcome, shell, type Temporary, temporary } from "./helpers.ts";

export const UID = isRoot ? 47110 : process.getuid!();
export const NAME = isRoot ? "nsrun-alice" : userInfo().username;
const SUBUID = `${NAME}:200000:65536\n${UID}:300000:10\n`;
const SUBGID = `${NAME}:500000:65536\n`;

/** The requirement of those tests, for skipReason. */
export const hasRanges = [
  isRoot || (readFileSync("/etc/subuid", "utf8") === SUBUID && readFileSync("/etc/subgid", "utf8") === SUBGID),
  "neither root nor the user that test/as-user.sh makes",
] as const;

export interface UserFiles {
  /** Default: two ranges for NAME in each file. */
  readonly subuid?: string;
  readonly subgid?: string;
  /** Shell commands of root in the private mount namespace before the user comes. */
  readonly before?: string;
  /** Default UID. */
  readonly gid?: number;
  /** Options of setpriv, such as --no-new-privs. */
  readonly setpriv?: string;
}

export class TestUser implements Disposable {
  readonly home: Temporary = temporary();
  #nsrun: readonly string[] = NSRUN;

  /** The user gets a copy of the sources: the checkout may lie where only root can look. */
  static async make(): Promise<TestUser> {
    const user = new TestUser();
    const { home } = user;
    chmodSync(home.path, 0o755);
    if (!isRoot) {
      mkdirSync(home.file("cache"), { mode: 0o700 });
      return user;
    }
    mkdirSync(home.file("cache"), { mode: 0o700 });
    chownSync(home.file("cache"), UID, UID);
    user.#nsrun = await copyOfNsrun(home);
    writeFileSync(home.file("passwd"), `${readFileSync("/etc/passwd", "utf8")}${NAME}:x:${UID}:${UID}::/:/bin/sh\n`);
    return user;
  }

  /** The command line of nsrun as this user, or that of another program. */
  argv(files: UserFiles = {}, program: readonly string[] = this.#nsrun): string[] {
    const { path } = this.home;
    if (!isRoot) {
      if (Object.keys(files).length > 0) throw new Error("only root can show the user other files");
      return ["env", `HOME=${path}`, `NSRUN_CACHE=${path}/cache`, ...program];
    }
    writeFileSync(this.home.file("subuid"), files.subuid ?? SUBUID);
    writeFileSync(this.home.file("subgid"), files.subgid ?? SUBGID);
    const binds = ["passwd", "subuid", "subgid"].map((name) => `mount --bind ${path}/${name} /etc/${name}`);
    const become = `setpriv --reuid ${UID} --regid ${files.gid ?? UID} --clear-groups ${files.setpriv ?? ""}`;
    const script = `set -e; ${binds.join("; ")}; ${files.before ?? ":"}; exec ${become} env HOME=${path} NSRUN_CACHE=${path}/cache "$@"`;
    return ["unshare", "-m", "sh", "-c", script, "sh", ...program];
  }

  /** A Bun that this user can execute. */
  get bun(): readonly string[] {
    return isRoot ? [this.home.file("nsrun/bun"), ...BUN.slice(1)] : BUN;
  }

  /** The library that this user can read. */
  get sources(): string {
    return isRoot ? this.home.file("nsrun/src/index.ts") : `${CHECKOUT}/src/index.ts`;
  }

  run(args: readonly string[], files: UserFiles = {}): Promise<Outcome> {
    return shell([...this.argv(files), "run", ...args]);
  }

  [Symbol.dispose](): void {
    this.home[Symbol.dispose]();
  }
}
