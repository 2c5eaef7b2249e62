// The smallest useful function in JavaScript: an event in, a result out, one setting from the environment.

// Code outside the handler runs once per execution environment, in its INIT phase.
const greeting = process.env.GREETING ?? "Hello";

/** Greet event.name. What the promise resolves to becomes the JSON that the caller gets. */
export const handler = async (event, context) => {
  const name = event.name ?? "world";

  // In front of what is logged Lambda puts the time, the request id and the level.
  console.log("greeting %s, with %d ms left", name, context.getRemainingTimeInMillis());

  if (name === "nobody") {
    // The class of the error becomes the errorType that the caller sees, beside its message and its stack trace.
    throw new RangeError("there is nobody to greet");
  }
  return { message: `${greeting}, ${name}!` };
};
