export const planMermaid = (_: unknown): string => "";
