export const ociConfig = (_: unknown): unknown => "";
