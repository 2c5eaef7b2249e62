// The second argument of a handler.

const utf8 = (header) => Buffer.from(header, "latin1").toString("utf8");
const parsed = (header) => (header ? JSON.parse(utf8(header)) : undefined);

/** `settings.waits` is what callbackWaitsForEmptyEventLoop sets; `ends` are done, succeed and fail. */
export const contextOf = (headers, settings, { done, succeed, fail }) => {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const tenant = headers["lambda-runtime-aws-tenant-id"];
  return {
    get callbackWaitsForEmptyEventLoop() {
      return settings.waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      settings.waits = value;
    },
    succeed,
    fail,
    done,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers["lambda-runtime-client-context"]),
    identity: parsed(headers["lambda-runtime-cognito-identity"]),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    ...(tenant === undefined ? {} : { tenantId: utf8(tenant) }),
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
};
