#!/bin/bash
# Run once, as root, when the instance is born: volume, software, service. What it needs is in
# /etc/qldb-ledger.env. It says to CloudFormation how it went.
set -euo pipefail
set -a; . /etc/qldb-ledger.env; set +a

tell() {  # tell STATUS REASON
  [ -n "${QLDB_LEDGER_WAIT_URL:-}" ] || return 0
  curl -sS --retry 5 -X PUT -H 'Content-Type:' --data-binary \
    "{\"Status\": \"$1\", \"Reason\": \"$2\", \"UniqueId\": \"$QLDB_LEDGER_INSTANCE\", \"Data\": \"\"}" \
    "$QLDB_LEDGER_WAIT_URL" || true
}

wait_for() {  # wait_for SECONDS COMMAND...: once each second until it does it
  local left=$1; shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "gave up: $*" >&2; return 1; }
    sleep 1
  done
}

token=$(curl -sS --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' \
  http://169.254.169.254/latest/api/token)
QLDB_LEDGER_INSTANCE=$(curl -sS --retry 5 -H "X-aws-ec2-metadata-token: $token" \
  http://169.254.169.254/latest/meta-data/instance-id)
trap 'tell FAILURE "set-up.sh stopped at line $LINENO; see /var/log/cloud-init-output.log"' ERR

# The volume of the ledgers outlives instances: the one before may be letting go of it just now.
attach() {
  aws ec2 attach-volume --volume-id "$QLDB_LEDGER_VOLUME" \
    --instance-id "$QLDB_LEDGER_INSTANCE" --device /dev/sdf
}
# NVMe devices are named by the volume's id without its hyphen.
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${QLDB_LEDGER_VOLUME/-/}
wait_for 300 attach
wait_for 120 test -b "$device"
# Only a volume that holds nothing is formatted.
blkid "$device" >/dev/null || mkfs.xfs "$device"
id qldb-ledger >/dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin qldb-ledger
mkdir -p /var/lib/qldb-ledger
echo "$device /var/lib/qldb-ledger xfs noatime,nodev,nosuid,noexec 0 0" >>/etc/fstab
mount /var/lib/qldb-ledger
mkdir -p /var/lib/qldb-ledger/ledgers
chown -R qldb-ledger:qldb-ledger /var/lib/qldb-ledger
chmod 0700 /var/lib/qldb-ledger /var/lib/qldb-ledger/ledgers

# Amazon Linux keeps its packages in S3, which the network's gateway reaches.
dnf install -y -q python3.11
wheels=$(mktemp -d)
aws s3 cp --only-show-errors "$QLDB_LEDGER_BUNDLE" "$wheels/bundle.zip"
python3.11 -m zipfile -e "$wheels/bundle.zip" "$wheels"
python3.11 -m venv /opt/qldb-ledger
/opt/qldb-ledger/bin/pip -q install --no-index --find-links "$wheels" 'qldb-stream[cli,server,aws]'
rm -rf "$wheels"

systemctl daemon-reload
systemctl enable --now qldb-ledger.service
wait_for 120 curl -skf https://127.0.0.1:8765/health
tell SUCCESS "the ledger server answers"
