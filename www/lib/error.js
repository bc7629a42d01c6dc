/** Everything that can go wrong in Mien, with a code for programs and a sentence for people. */
export class MienError extends Error {
  /**
   * @param {import('../mien.js').MienErrorCode} code
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(code, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MienError';
    this.code = code;
  }
}
