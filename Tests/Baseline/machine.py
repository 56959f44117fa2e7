#!/usr/bin/env python3
"""Runs commands as on a processor that qemu does not play, in a machine that Bochs plays.

    python Tests/Baseline/machine.py icelake ".build/examples/complete $MODEL Once"

Bochs plays all of a machine, so it boots Debian's kernel from a CD, in half a minute. The CD holds
the files that the commands name, --file's and the libraries they need, under the paths that they
have here. The commands run by a shell, on one core of ten to two hundred million instructions a
second. Prints what they print; the status is the last one's. The first time Bochs itself is built.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "bochs"

PROCESSORS = {
    "icelake": "corei7_icelake_u",  # AVX-512 with VNNI
    "sapphire": "sapphire_rapids",  # and AVX-VNNI
    "arrow": "arrow_lake",  # AVX-VNNI without AVX-512
}

# Debian 12 has Bochs 2.7, which lacks AVX-VNNI and is built for its debugger. Beside it lies the
# source of Debian 13's.
SOURCE = "bochs_3.0+dfsg.orig.tar.xz"
SHA256 = "78f6c73d4a6472d5130a87ab9dc306d02c7c71ed8e25b3a8ef642e2a7acd282b"
OPTIONS = ["--enable-cpu-level=6", "--enable-x86-64", "--enable-avx", "--enable-evex"]
OPTIONS += ["--enable-fpu", "--enable-pci", "--enable-all-optimizations", "--disable-debugger"]
OPTIONS += ["--enable-handlers-chaining", "--disable-docbook", "--with-nogui"]
PACKAGES = ["bochsbios", "vgabios", "isolinux", "syslinux-common", "xorriso", "cpio"]
PACKAGES += ["busybox-static", "g++", "make", "xz-utils"]

# In the order in which they need each other: the CD, its file system, and that it can be written.
MODULES = ["drivers/scsi/scsi_common", "drivers/scsi/scsi_mod", "drivers/ata/libata"]
MODULES += ["drivers/ata/ata_piix", "drivers/cdrom/cdrom", "drivers/scsi/sr_mod"]
MODULES += ["fs/isofs/isofs", "fs/overlayfs/overlay"]

# Bochs has no MSR 0x1a0: Linux then takes ERMS away but not FSRM (580), with which its memmove
# overruns. Bochs does not return from system management with five levels of pages.
KERNEL = "console=ttyS0,115200 quiet loglevel=1 nokaslr mitigations=off tsc=reliable lpj=100000"
KERNEL += " random.trust_cpu=on clearcpuid=580 no5lvl panic=-1"

ISOLINUX = f"""DEFAULT linux
LABEL linux
  KERNEL /boot/vmlinuz
  INITRD /boot/initrd
  APPEND {KERNEL}
"""

INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
for module in {" ".join(pathlib.Path(name).name for name in MODULES)}; do
  insmod /modules/$module.ko
done
for second in 1 2 3 4 5 6 7 8 9; do mount -t iso9660 -o ro /dev/sr0 /cd && break; sleep 1; done
mount -t tmpfs none /new; mkdir /new/upper /new/work
mount -t overlay -o lowerdir=/cd,upperdir=/new/upper,workdir=/new/work none /root
for folder in proc sys dev; do mount --bind /$folder /root/$folder; done
exec < /dev/null > /dev/ttyS0 2>&1
stty -opost < /dev/ttyS0
echo BEGIN; chroot /root /bin/sh /commands; echo "END $?"
sleep 1
poweroff -f
"""

# With so few instructions a second the devices are fast and waiting for them is cheap.
MACHINE = """config_interface: textconfig
display_library: nogui
megs: {memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model={model}, count=1, ips=5000000, ignore_bad_msrs=1, reset_on_triple_fault=0
clock: sync=none, time0=utc
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={folder}/cd.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={folder}/serial
log: {folder}/log
panic: action=fatal
error: action=ignore
info: action=ignore
speaker: enabled=0
"""


def run(*words: str | pathlib.Path, **options: object) -> str:
    """The output of a program; when it fails, that ends this one."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{words[0]}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
    return done.stdout


def emulator() -> pathlib.Path:
    """Bochs and the packages around it, which comes from Debian the first time."""
    program = WORK / "source" / "bochs"
    run(ROOT / "scripts" / "need.sh", *PACKAGES)
    if not program.exists():
        shutil.rmtree(program.parent, ignore_errors=True)
        program.parent.mkdir(parents=True)
        archive = WORK / "source.tar.xz"
        uris = run("apt-get", "download", "--print-uris", "bochsbios")
        source = uris.split("'")[1].rpartition("/")[0] + "/" + SOURCE
        archive.write_bytes(urllib.request.urlopen(source).read())
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            sys.exit(f"{source} is another file than it was")
        run("tar", "-xf", archive, "--strip-components=1", cwd=program.parent)
        flags = "-O2 -fomit-frame-pointer -fno-strict-aliasing -w"
        environment = {**os.environ, "CFLAGS": flags, "CXXFLAGS": flags}
        run("./configure", *OPTIONS, cwd=program.parent, env=environment)
        run("make", f"-j{len(os.sched_getaffinity(0))}", cwd=program.parent)
    return program


def kernel() -> pathlib.Path:
    """Debian's kernel and its modules, unpacked, not installed."""
    folder = WORK / "kernel"
    if not list(folder.glob("boot/vmlinuz-*")):
        found = re.search(
            r"Depends: (linux-image-\S+)", run("apt-cache", "depends", "linux-image-amd64")
        )
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", found[1] if found else "linux-image-amd64", cwd=folder)
        run("dpkg-deb", "-x", next(folder.glob("*.deb")), folder)
    return folder


def needed(file: pathlib.Path, library: pathlib.Path) -> set[pathlib.Path]:
    """A file and, of a program, the libraries that it loads."""
    with file.open("rb") as bytes_:
        if bytes_.read(4) != b"\x7fELF":
            return {file}
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    done = subprocess.run(["ldd", file], capture_output=True, text=True, env=environment)
    return {file, *map(pathlib.Path, re.findall(r"(/\S+) \(0x", done.stdout))}


def put(files: set[pathlib.Path], tree: pathlib.Path) -> None:
    """Copies files and folders to the paths they have here."""
    for file in files:
        there = tree / str(file.absolute()).lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            shutil.copytree(file, there, dirs_exist_ok=True)
        else:
            shutil.copy(file, there)


def disc(commands: str, files: set[pathlib.Path], library: pathlib.Path, cd: pathlib.Path) -> None:
    """Writes the CD."""
    debian = kernel()
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        tree, first = pathlib.Path(name, "tree"), pathlib.Path(name, "first")
        for folder in ("bin", "boot", "isolinux", "dev", "proc", "sys", "tmp"):
            (tree / folder).mkdir(parents=True)
        for folder in ("bin", "modules", "dev", "proc", "sys", "root", "cd", "new"):
            (first / folder).mkdir(parents=True)
        for program in (tree / "bin/sh", tree / "bin/busybox", first / "bin/busybox"):
            shutil.copy("/bin/busybox", program)
        for module in MODULES:
            shutil.copy(next(debian.glob(f"lib/modules/*/kernel/{module}.ko")), first / "modules")
        (first / "init").write_text(INIT)
        (first / "init").chmod(0o755)
        pack = f"find . | cpio -o -H newc --quiet | gzip -1 > {tree}/boot/initrd"
        run("sh", "-c", pack, cwd=first)
        shutil.copy(next(debian.glob("boot/vmlinuz-*")), tree / "boot/vmlinuz")
        for loader in ("ISOLINUX/isolinux.bin", "syslinux/modules/bios/ldlinux.c32"):
            shutil.copy(f"/usr/lib/{loader}", tree / "isolinux")
        (tree / "isolinux/isolinux.cfg").write_text(ISOLINUX)
        start = f"export LD_LIBRARY_PATH={library} HOME=/tmp PATH=/bin\ncd {pathlib.Path.cwd()}\n"
        (tree / str(pathlib.Path.cwd())[1:]).mkdir(parents=True, exist_ok=True)
        (tree / "commands").write_text(start + commands + "\n")
        put(set().union(*(needed(file, library) for file in files if file.is_file())), tree)
        put({file for file in files if file.is_dir()}, tree)
        boot = ["-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot"]
        boot += ["-boot-load-size", "4", "-boot-info-table"]
        run("xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", cd, *boot, tree)


def play(
    name: str,
    commands: str,
    files: set[pathlib.Path],
    library: pathlib.Path = ROOT / ".build" / "lib",
    memory: int = 1024,
) -> tuple[int, str]:
    """Runs shell commands on a processor; their status and what they print."""
    program = emulator()
    with tempfile.TemporaryDirectory(dir=WORK) as text:
        folder = pathlib.Path(text)
        disc(commands, files, library, folder / "cd.iso")
        machine = MACHINE.format(model=PROCESSORS[name], folder=folder, memory=memory)
        (folder / "machine").write_text(machine)
        words = [str(program), "-q", "-f", str(folder / "machine")]
        # Turning the machine off counts as a failure of Bochs; a kernel that halts never ends.
        quiet = {"stdin": subprocess.DEVNULL, "capture_output": True}
        subprocess.run(words, cwd=folder, timeout=7200, **quiet)
        serial = (folder / "serial").read_text(errors="replace").replace("\r", "")
        found = re.search(r"^BEGIN\n(.*)^END (\d+)$", serial, re.DOTALL | re.MULTILINE)
        if not found:
            log = (folder / "log").read_text(errors="replace")
            panic = re.findall(r"^.*>>PANIC<<.*$", log, re.MULTILINE)
            raise RuntimeError(f"{name} did not end:\n{serial[-2000:]}\n" + "\n".join(panic))
        return int(found[2]), found[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("processor", choices=PROCESSORS)
    parser.add_argument("commands")
    parser.add_argument(
        "--file", action="append", default=[], help="a file or folder to take along"
    )
    parser.add_argument("--library", default=ROOT / ".build" / "lib", help="where libmixtral.so is")
    parser.add_argument("--memory", type=int, default=1024, help="MiB of the machine")
    options = parser.parse_args()
    words = [*re.findall(r"[^\s;&|()<>\"']+", options.commands), *options.file]
    files = {pathlib.Path(word).absolute() for word in words if pathlib.Path(word).exists()}
    library = pathlib.Path(options.library).absolute()
    status, said = play(options.processor, options.commands, files, library, options.memory)
    sys.stdout.write(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
