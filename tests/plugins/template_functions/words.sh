shout() {
  echo "got $# argument, request in $AWS_LAMBDA_FUNCTION_NAME" >&2
  if [[ $1 == *fail* ]]; then return 3; fi
  tr '[:lower:]' '[:upper:]'
}
