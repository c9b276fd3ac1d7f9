# One ingest step of the harness, as a user would run it: QUAYSIDE_PEERS_DESK tells which worker belongs to STATE_DIR and hears
# when the command has ended. Nothing but the CLI itself costs anything here.
set -eu
mkdir -p "$STATE_DIR/cwd"
cd "$STATE_DIR/cwd"
QUAYSIDE_URL=$(curl -fsS --data-urlencode "state=$STATE_DIR" --data-urlencode "dimensions=$EMBED_DIMS" \
  --data-urlencode "model=$EMBED_MODEL" "$QUAYSIDE_PEERS_DESK/begin")
export QUAYSIDE_URL
status=0
"$QUAYSIDE_PEERS_NODE" $QUAYSIDE_PEERS_NODE_FLAGS "$QUAYSIDE_PEERS_CLI" ingest --json --quiet --config "$STATE_DIR/cwd/quayside.json" || status=$?
curl -fsS -X POST "$QUAYSIDE_PEERS_DESK/end"
exit $status
