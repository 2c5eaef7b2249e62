# The runtime of bash functions: the loop of the Lambda Runtime API, by curl. A handler `file.name` is the function
# `name` of file.sh; it gets the event as its argument and on stdin, and answers on stdout; stderr is the log.
# Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
file="$LAMBDA_TASK_ROOT/${_HANDLER%.*}.sh" name="${_HANDLER##*.}"

# tell PATH TYPE MESSAGE: report an error
tell() {
  local message=${3//\\/\\\\}
  message=${message//\"/\\\"}
  curl -sS -o /dev/null -H "Lambda-Runtime-Function-Error-Type: $2" \
    -d "{\"errorMessage\": \"$message\", \"errorType\": \"$2\", \"stackTrace\": []}" "$api/$1"
}

if ! . "$file" || ! declare -F "$name" >/dev/null; then
  tell init/error Bash.NoHandler "there is no function $name in $file"
  exit 1
fi

while headers=$(mktemp); do
  event=$(curl -sS -D "$headers" "$api/invocation/next") || exit 1
  id=$(tr -d '\r' <"$headers" | sed -n 's/^lambda-runtime-aws-request-id: *//Ip')
  rm -f "$headers"
  if result=$("$name" "$event" <<<"$event"); then
    printf '%s' "$result" | curl -sS -o /dev/null --data-binary @- "$api/invocation/$id/response"
  else
    tell "invocation/$id/error" Bash.Failed "$name returned $?"
  fi
done
