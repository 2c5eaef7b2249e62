#!/bin/sh
# An external extension in a few lines of shell: registers, and writes down what it is told.
set -eu

api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
name=${0##*/}

identifier=$(
  curl -sS -D - -o /dev/null -H "Lambda-Extension-Name: $name" -d '{"events": ["INVOKE", "SHUTDOWN"]}' "$api/register" |
    tr -d '\r' | sed -n 's/^[Ll]ambda-[Ee]xtension-[Ii]dentifier: //p'
)

while :; do
  event=$(curl -sS -H "Lambda-Extension-Identifier: $identifier" "$api/event/next")
  echo "$name: $event"
  case $event in
    *'"eventType":"SHUTDOWN"'*) exit 0 ;;
  esac
done
