/** The service as this page asks it; every failure comes back in words that a person can use. */

const RETRY_SECONDS = 5;

export class ProblemError extends Error {
  /**
   * `fields` are the refused ones, each with its message; `reference` is what to tell whoever runs the service; without
   * `retryAfterSeconds` trying again is no use; `status` is 0 where nothing answered.
   */
  constructor(message, { fields = [], reference = "", retryAfterSeconds = 0, status = 0 } = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
    this.reference = reference;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

function describeFailure(response, problem) {
  const { status } = response;
  if (status === 401 || status === 403) {
    return new ProblemError("The service answers only to those who sign in, which this page cannot do for you.");
  }
  const retryAfterSeconds = Number(response.headers.get("retry-after")) || (status >= 500 ? RETRY_SECONDS : 0);
  const title = problem?.title ?? `The service answered with the status ${status}`;
  const advice = status >= 500 ? "" : " Please reload the page.";
  const reference = problem?.request_id ? `If it stays so, tell whoever runs the service this id: ${problem.request_id}` : "";
  return new ProblemError(`${title}.${advice}`, { fields: problem?.errors ?? [], reference, retryAfterSeconds, status });
}

/** What the service answers to a GET, or, with a `body`, to a POST, and where it keeps the record. */
export async function ask(path, body, signal) {
  const headers = { "content-type": "application/json" };
  const options = body ? { method: "POST", headers, body: JSON.stringify(body), signal } : { signal };
  let response;
  let answer;
  try {
    response = await fetch(path, options);
    const isJson = response.headers.get("content-type")?.includes("json");
    answer = isJson ? await response.json() : null;
  } catch {
    throw new ProblemError("The service cannot be reached. Is this computer online?", {
      retryAfterSeconds: RETRY_SECONDS,
    });
  }
  if (!response.ok || !answer) {
    throw describeFailure(response, answer);
  }
  return { answer, destination: response.headers.get("x-prediction-record") };
}
