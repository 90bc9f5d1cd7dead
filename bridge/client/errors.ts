/** What a request of a client may fail with. */

/** An error reply of the server. */
export class RemoteError extends Error {
  readonly code: string;
  readonly path: string;
  readonly expected: string;
  readonly got: string;

  constructor(error: { code: string; path: string; message: string; expected: string; got: string }) {
    super(error.message);
    this.name = "RemoteError";
    this.code = error.code;
    this.path = error.path;
    this.expected = error.expected;
    this.got = error.got;
  }
}

/** No reply came in time, although the request was sent again and again. */
export class DeadlineExceeded extends Error {
  constructor(operation: string, address: string, deadlineMs: number) {
    super(`no reply to ${operation} from ${address} within ${deadlineMs} ms (requestDeadlineMs)`);
    this.name = "DeadlineExceeded";
  }
}
