# Sourced by the scripts that make the captures; needs $work and $here.

# capture NAME INTERFACE DUMPCAP-OPTIONS... -- COMMAND...
capture() {
    local name=$1 interface=$2 options=()
    shift 2
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    dumpcap -q -i "$interface" -f tcp -B 16 "${options[@]}" -w "$work/$name" 2> "$work/dumpcap.log" &
    local dumpcap=$!
    for _ in $(seq 100); do grep -q '^File:' "$work/dumpcap.log" && break; sleep 0.1; done
    sleep 0.5
    "$@" > /dev/null
    sleep 1
    kill -INT $dumpcap 2>/dev/null || true
    wait $dumpcap || true
    mv "$work/$name" "$here/$name"
    chmod 644 "$here/$name"
    # Larger ones are kept compressed.
    if [ "$(stat -c %s "$here/$name")" -gt 16384 ]; then gzip -9nf "$here/$name"; fi
}

fetch() { curl --silent --show-error --output /dev/null "$@"; }

# wait_for PORT...
wait_for() {
    for port in "$@"; do
        for _ in $(seq 100); do (: < /dev/tcp/127.0.0.1/$port) 2>/dev/null && break; sleep 0.1; done
    done
}
