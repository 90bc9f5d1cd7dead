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

/** The server would not read the body of a request, so the request was not sent. */
export class RequestTooLarge extends Error {
  constructor(operation: string, bytes: number, maxBodyBytes: number) {
    super(`a body of ${operation} has ${bytes} bytes; the server reads at most ${maxBodyBytes} (maxBodyBytes)`);
    this.name = "RequestTooLarge";
  }
}

/** As many requests of a group are unanswered as the server holds; nothing was sent, and no number is used up. */
export class WindowExceeded extends Error {
  constructor(group: number, maxInFlight: number) {
    super(`group ${group} has ${maxInFlight} requests in flight, the most that the server holds (maxInFlight)`);
    this.name = "WindowExceeded";
  }
}
