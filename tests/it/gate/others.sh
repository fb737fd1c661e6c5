# Judges a signed bundle with a program that is not ours and knows nothing of us.
# $1: which one. $2: the bundle. $3: the folder of ci.key.pub and allowed_signers. $4: docs/schemas.
set -eu
peer=$1 bundle=$2 house=$3 schemas=$4
need() { command -v "$1" > /dev/null || { echo "$1 is missing: .ci/install installs it" >&2; exit 9; }; }
module() { python3 -c "import $1" || { echo "python3 lacks $1: .ci/install installs it" >&2; exit 9; }; }

cd "$bundle"
root=$(sha256sum < SHA256SUMS | cut -d' ' -f1)
temporary=$(mktemp -d)
trap 'rm -r "$temporary"' EXIT

# payload and sig: what the envelope $1 holds.
open() {
  grep -o '"payload":"[^"]*"' "$1" | cut -d'"' -f4 | base64 -d > "$temporary/payload"
  grep -o '"sig":"[^"]*"' "$1" | cut -d'"' -f4 | base64 -d > "$temporary/sig"
}

# The loop that README.txt of the bundle shows; it says what is broken.
chain() {
  prev=$(printf '%064d' 0)
  while IFS= read -r line; do
    case $line in *"\"prev\":\"$prev\""*) ;; *) echo "broken: $line";; esac
    prev=$(printf %s "$line" | sha256sum | cut -d' ' -f1)
  done < "$1"
  tail -n 1 "$1" | grep -q '"type":"run.finished"' || echo "$1 has no end"
}

case $peer in
sha256sum)
  find . -name SHA256SUMS | while read -r sums; do
    (cd "${sums%/*}" && sha256sum -c --strict --quiet SHA256SUMS)
  done ;;
a-shell-loop)
  find . -name events.jsonl | while read -r journal; do chain "$journal"; done > "$temporary/broken"
  test ! -s "$temporary/broken" ;;
openssl)
  need openssl
  for envelope in attest/*.dsse.json; do
    open "$envelope"
    { printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(wc -c < "$temporary/payload")"; cat "$temporary/payload"; } > "$temporary/pae"
    openssl dgst -sha256 -verify "$house/ci.key.pub" -signature "$temporary/sig" "$temporary/pae"
    grep -q "$root" "$temporary/payload"
  done ;;
ssh-keygen)
  need ssh-keygen
  for file in signoffs/[0-9]*.json; do
    signer=$(grep -o '"signer":"[^"]*"' "$file" | cut -d'"' -f4)
    ssh-keygen -Y verify -f "$house/allowed_signers" -I "$signer" -n signoff@rehearsal -s "$file.sig" < "$file"
    grep -q "$root" "$file"
  done ;;
xmllint)
  need xmllint
  find . -name junit.xml -exec xmllint --noout --schema "$schemas/junit.xsd" {} + ;;
securesystemslib)
  module securesystemslib.dsse
  python3 - "$house/ci.key.pub" attest/*.dsse.json <<'PY'
import json, sys
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
pem = open(sys.argv[1]).read()
for path in sys.argv[2:]:
    envelope = json.load(open(path))
    key = SSlibKey(envelope["signatures"][0]["keyid"], "ecdsa", "ecdsa-sha2-nistp256", {"public": pem})
    Envelope.from_dict(envelope).verify([key], 1)
PY
  ;;
in-toto-attestation)
  module in_toto_attestation
  for envelope in attest/*.dsse.json; do open "$envelope"; cp "$temporary/payload" "$temporary/${envelope##*/}"; done
  python3 - "$temporary"/*.dsse.json signoffs/[0-9]*.json <<'PY'
import sys
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
for path in sys.argv[1:]:
    Statement.copy_from_pb(json_format.Parse(open(path).read(), statement_pb2.Statement())).validate()
PY
  ;;
check-jsonschema)
  need check-jsonschema
  agrees() { schema=$1; shift; check-jsonschema --quiet --schemafile "$schemas/$schema.json" "$@"; }
  for name in plan scenarios environment report; do agrees $name $(find . -name $name.json); done
  agrees state $(find . -path '*states/*.json')
  agrees envelope $(find . -name '*.dsse.json')
  agrees signoff signoffs/[0-9]*.json
  cat $(find . -name events.jsonl) | split -l 1 -a 6 --additional-suffix=.json - "$temporary/line-"
  agrees event "$temporary"/line-*.json ;;
*)
  echo "nobody is called $peer" >&2
  exit 64 ;;
esac
echo "$peer agrees"
