// A seccomp filter of five instructions, by hand: uname and mkdirat are refused with EPERM. No root needed.
import { ask, errnoName, observe, PR, syscallNumber } from "nsrun/ffi";

const [LOAD, JUMP_IF_EQUAL, RETURN] = [0x20, 0x15, 0x06];
const filter = [
  [LOAD, 0, 0, 0], // the call's number
  [JUMP_IF_EQUAL, 2, 0, syscallNumber("uname")],
  [JUMP_IF_EQUAL, 1, 0, syscallNumber("mkdirat")],
  [RETURN, 0, 0, 0x7fff0000], // allow
  [RETURN, 0, 0, 0x00050001], // EPERM
].flatMap(([code, yes, no, k]) => [code! | (yes! << 16) | (no! << 24), k!]);
const text = "filter";
const bytes = new Uint8Array(new Uint32Array(filter).buffer);

const names = ask("uname", { bytes: new Uint8Array(390), text: "names" });
const { answers } = observe(0, [
  ["prctl", PR.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
  names,
  ["prctl", 22 /* PR_SET_SECCOMP */, 2, { words: [5, { bytes, text }], text }, 0, 0],
  names,
]);
console.log(`uname before: ${answers[0]}, with the filter: ${errnoName(-answers[1]!)}`);

//> uname before: 0, with the filter: EPERM
