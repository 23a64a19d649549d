export const planScript = (_: unknown): string => "";
