#!/bin/sh
# install.sh install|uninstall: what the targets of these names do, with folders of any name.
#
# The environment says where: PREFIX LIBDIR INCLUDEDIR DOCDIR, all below DESTDIR; PC_PREFIX is the prefix that
# mixtral.pc names; and what: INSTALLED, the library, with its SONAME and VERSION, HEADERS in the folder INCLUDE, DOCUMENTS. Each file is written beside
# its place and renamed: it is whole or not there, and who has the old one open keeps it.
set -eu
umask 022

: "${VERSION:?}" "${SONAME:?}" "${INSTALLED:?}" "${PREFIX:?}" "${HEADERS:?}"
newline='
'
for folder in "$DESTDIR" "$PREFIX" "$LIBDIR" "$INCLUDEDIR" "$DOCDIR" "$PC_PREFIX"; do
  case $folder in
    *[\"\\#]* | *"$newline"*)
      echo "install.sh: folder is $folder; allowed any characters but \" \\ # and newlines" >&2
      exit 1
      ;;
  esac
done

libdir=$DESTDIR$LIBDIR
includedir=$DESTDIR$INCLUDEDIR
docdir=$DESTDIR$DOCDIR
part=
trap 'test -z "$part" || rm -f "$part"' EXIT

# whole TARGET COMMAND...: TARGET with what the command writes to the file that is added to its words.
whole() {
  target=$1
  shift
  part=$target.part
  mkdir -p "$(dirname "$target")"
  rm -f "$part"
  "$@" "$part"
  mv -f "$part" "$target"
  part=
}

place() { whole "$2" install -m 644 "$1"; }

# A folder as a word of mixtral.pc, which splits its lines as a shell does.
word() { printf '%s' "$1" | sed "s/[' ]/\\\\&/g"; }

# What stands for a folder in mixtral.pc: it stays below ${prefix} when it is.
below_prefix() {
  case $1 in
    "$PREFIX"/*) printf '${prefix}%s' "$(word "${1#"$PREFIX"}")" ;;
    *) word "$1" ;;
  esac
}

# A text as the right side of sed's s|||.
quoted() { printf '%s' "$1" | sed 's/[&|\\]/\\&/g'; }

filled() {
  from_cmake=$(realpath -ms --relative-to="$LIBDIR/cmake/mixtral" "$INCLUDEDIR")
  sed -e "s|@VERSION@|$(quoted "$VERSION")|g" -e "s|@SONAME@|$(quoted "$SONAME")|g" \
    -e "s|@PREFIX@|$(quoted "$(word "$PC_PREFIX")")|g" \
    -e "s|@LIBDIR@|$(quoted "$(below_prefix "$LIBDIR")")|g" \
    -e "s|@INCLUDEDIR@|$(quoted "$(below_prefix "$INCLUDEDIR")")|g" \
    -e "s|@INCLUDEDIR_FROM_CMAKE@|$(quoted "$from_cmake")|g" \
    -e "s|@HEADERS@|$(quoted "${headers# }")|g" "$1" > "$2"
  chmod 644 "$2"
}

fill() { whole "$2" filled "$1"; }

# As programs include them; a make whose folder INCLUDE has spaces finds none, so the list is words.
headers=
for header in $HEADERS; do headers="$headers ${header#"$INCLUDE/"}"; done

case $1 in
  install)
    place "$INSTALLED" "$libdir/libmixtral.so.$VERSION"
    ln -sf "libmixtral.so.$VERSION" "$libdir/$SONAME"
    ln -sf "$SONAME" "$libdir/libmixtral.so"
    for header in $headers; do place "$INCLUDE/$header" "$includedir/$header"; done
    fill bindings/c/mixtral.pc.in "$libdir/pkgconfig/mixtral.pc"
    for name in mixtral-config mixtral-config-version; do
      fill "bindings/c/$name.cmake.in" "$libdir/cmake/mixtral/$name.cmake"
    done
    for document in $DOCUMENTS; do place "$document" "$docdir/$(basename "$document")"; done
    ;;
  uninstall)
    rm -f "$libdir/libmixtral.so.$VERSION" "$libdir/$SONAME" "$libdir/libmixtral.so" \
      "$libdir/pkgconfig/mixtral.pc"
    for header in $headers; do rm -f "$includedir/$header"; done
    rmdir "$includedir/mixtral" 2> /dev/null || true
    rm -rf "$libdir/cmake/mixtral" "$docdir"
    ;;
  *)
    echo "install.sh install|uninstall" >&2
    exit 2
    ;;
esac
