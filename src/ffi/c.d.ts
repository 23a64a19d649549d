/** C sources are imported as text: `import src from "./x.c" with { type: "text" }`. */
declare module "*.c" {
  const text: string;
  export default text;
}
