/**
 * Builds the page into `dist/`: one script, one style sheet, the page naming both with their hash and digest.
 * @returns bytes of each file after gzip.
 */
export declare function buildConsole(): Promise<Readonly<Record<string, number>>>;
