#!/bin/sh
# Sealed packs against the Debian tools zstd, age and minisign: made by them and opened by us, and the other way round.
# The four lines are those of docs/packs.md.
set -eu
cd "$(dirname "$0")/../.."
for tool in zstd age age-keygen minisign sha256sum; do
    command -v $tool >/dev/null || { echo "packs.sh needs $tool: apt-get install zstd age minisign" >&2; exit 1; }
done
cargo build --locked
packmark="$(pwd)/${CARGO_TARGET_DIR:-target}/debug/packmark"
line="$(pwd)/tests/data/line.toml"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

age-keygen -o line.age 2>/dev/null
recipient="$(age-keygen -y line.age)"
minisign -G -W -s supplier.key -p supplier.pub >/dev/null
{ cat "$line"; printf '[packs]\nsigners = [{ name = "supplier-a", key = "%s" }]\nidentity = "line.age"\n' "$(sed -n 2p supplier.pub)"; } >line.toml

# Made by them: with zstd's default and its greatest ordinary level.
for level in 3 19; do
    { echo token; i=0; while [ $i -lt 5000 ]; do echo "https://q.example/$level-$i"; i=$((i + 1)); done; } >codes.csv
    zstd -q -$level codes.csv
    age -r "$recipient" -o codes.csv.zst.age codes.csv.zst
    minisign -S -s supplier.key -m codes.csv.zst.age -t "pack:D-$level count:5000 sku:06901234567892 level:bottle column:code=token sha256:$(sha256sum codes.csv | cut -c1-64)" >/dev/null
    rm codes.csv codes.csv.zst
    "$packmark" --config line.toml --json pack import codes.csv.zst.age | grep -q "\"count\":5000,\"pack\":\"D-$level\""
    rm codes.csv.zst.age codes.csv.zst.age.minisig
done

# Made by us, opened by them: more than one frame of the compressed stream, and a text that hardly packs.
{ i=0; while [ $i -lt 20000 ]; do echo "https://q.example/ours-$i-$i-$i-$i-$i-$i-$i-$i-$i-$i"; i=$((i + 1)); done; head -c 600000 /dev/urandom | base64 -w 60; } >ours.txt
"$packmark" pack seal ours.txt --to "$recipient" --key supplier.key --out ours.zst.age --pack OURS --level bottle --product P1 --lang en >/dev/null 2>&1
minisign -V -q -p supplier.pub -m ours.zst.age
minisign -V -Q -p supplier.pub -m ours.zst.age | grep -q "^pack:OURS count:$(wc -l <ours.txt) sku:P1 level:bottle sha256:$(sha256sum ours.txt | cut -c1-64)$"
age -d -i line.age ours.zst.age | zstd -q -d | cmp - ours.txt

# With a password, made by minisign.
printf 'secret\nsecret\n' | minisign -G -f -s locked.key -p locked.pub >/dev/null
printf 'secret\n' >password
"$packmark" pack seal ours.txt --to "$recipient" --key locked.key --password-file password --out locked.zst.age --pack L --level bottle --product P1 --lang en >/dev/null 2>&1
minisign -V -q -p locked.pub -m locked.zst.age
echo "packs.sh: all good"
