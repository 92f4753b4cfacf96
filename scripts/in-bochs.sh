#!/usr/bin/env bash
# in-bochs.sh [NAME=VALUE…] PROGRAM [ARGUMENT…]: runs a statically linked Linux program, with these variables in its environment, on a processor with
# AVX-512 VNNI that Bochs emulates, and ends with its exit status. PROGRAM finds no files of this machine. Debian's packages of Bochs are installed;
# a kernel, a boot loader and busybox are kept in the cache (16 MB). The emulated machine takes about 20 seconds to start.
source "$(dirname "$0")/common.sh"
source "$ROOT/scripts/packages.sh"
cd "$OLDPWD"

folder=$CACHE/bochs
stamp="1 isolinux linux busybox"

is_ready() { [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; }

# Fetches what starts the emulated machine and keeps the few files that matter.
unpack() {
	local kernel package download=(apt-get --quiet -o APT::Sandbox::User=root download)
	command -v dpkg >/dev/null || fail "the kernel for Bochs comes from Debian's packages, and this system has no dpkg"
	kernel=$(apt-cache show --no-all-versions linux-image-cloud-amd64 | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p')
	[ -n "$kernel" ] || fail "apt knows no linux-image-cloud-amd64"
	download+=("$kernel" isolinux syslinux-common busybox-static)
	say "unpacking Linux for Bochs into $folder"
	(cd "$work" && "${download[@]}" >&2) || { apt-get update --quiet >&2 && (cd "$work" && "${download[@]}" >&2); } ||
		fail "apt-get could not download ${download[*]:5}"
	for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done
	cp "$work"/root/boot/vmlinuz-* "$folder/vmlinuz"
	cp "$work"/root/usr/lib/{ISOLINUX/isolinux.bin,syslinux/modules/bios/ldlinux.c32} "$folder"
	find "$work/root" -path '*/bin/busybox' -exec cp {} "$folder" ';'
	rm -rf "$work/root" "$work"/*.deb
	printf '%s\n' "$stamp" >"$folder/.stamp"
}

# The file system of the emulated machine: the program, and an init that runs it, prints its status and switches off.
make_initrd() {
	mkdir "$work"/{cd,files} "$work"/files/{dev,proc,tmp}
	install -m 755 "$program" "$work/files/program"
	install -m 755 "$folder/busybox" "$work/files/busybox"
	cat >"$work/files/init" <<-INIT
		#!/busybox sh
		/busybox mount -t devtmpfs dev /dev
		/busybox mount -t proc proc /proc
		/busybox stty -onlcr
		cd /tmp
		/busybox env $(printf '%q ' "${variables[@]}" /program "$@")
		echo "exit status \$?"
		# The serial line is slow.
		/busybox sleep 2
		/busybox poweroff -f
	INIT
	chmod 755 "$work/files/init"
	(cd "$work/files" && find . | "$folder/busybox" cpio -o -H newc 2>/dev/null) >"$work/cd/initrd"
}

# The disc that the emulated machine starts from. Three features of the processor stay unused: Bochs 2.7 gives wrong sizes for the saved state of PKU and
# for XSAVE's compact formats, so Linux would turn AVX off; and Linux, finding no switch for fast strings, would use a memmove that needs both FSRM and ERMS.
make_disc() {
	local parameters=(quiet loglevel=1 "console=ttyS0,115200" "clearcpuid=pku,xsaves,xsavec,fsrm" mitigations=off cryptomgr.notests panic=-1 reboot=triple)
	printf 'default vmlinuz initrd=initrd %s\n' "${parameters[*]}" >"$work/cd/isolinux.cfg"
	cp "$folder"/{vmlinuz,isolinux.bin,ldlinux.c32} "$work/cd"
	xorriso -as mkisofs -quiet -o "$work/disc.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table "$work/cd" 2>/dev/null
}

# Starts the machine and shows what it prints until it is off. Its screen is a terminal that draws nothing: nobody would read
# it, and Bochs would wait once it is full.
start_machine() {
	cat >"$work/bochsrc" <<-BOCHSRC
		cpu: model=corei7_icelake_u, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
		memory: guest=512, host=512
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/vgabios/vgabios.bin
		ata0-master: type=cdrom, path=$work/disc.iso, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=$work/serial
		display_library: term
		vga: extension=none, update_freq=1
		log: $work/log
		error: action=ignore
		panic: action=fatal
	BOCHSRC
	# Debian's Bochs has its debugger built in, which waits for the command to continue.
	echo continue >"$work/commands"
	: >"$work/serial"
	TERM=dumb bochs-bin -q -f "$work/bochsrc" -rc "$work/commands" </dev/null >"$work/screen" 2>&1 &
	bochs=$!
	tail --follow --bytes=+1 --pid="$bochs" "$work/serial" | sed --unbuffered '/^exit status [0-9]*$/,$d'
	bochs=
}

variables=()
while [[ ${1:-} == *=* ]]; do
	variables+=("$1")
	shift
done
[ $# -gt 0 ] || fail "which program? For example  scripts/in-bochs.sh target/x86_64-unknown-linux-gnu/debug/deps/whimbrel_kernels-0123456789abcdef"
program=$1
shift
need bochs-bin bochs bochs-term bochsbios vgabios
need xorriso xorriso
work=$(mktemp -d)
bochs=
trap '[ -z "$bochs" ] || kill -9 "$bochs"; rm -rf "$work"' EXIT
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
is_ready || unpack
exec 9>&-
make_initrd "$@"
make_disc
start_machine
status=$(sed -n 's/^exit status //p' "$work/serial" | tail -1)
[ -n "$status" ] || fail "the program did not end; Bochs says: $(grep PANIC "$work/log" "$work/screen" | tail -1)"
exit "$status"
