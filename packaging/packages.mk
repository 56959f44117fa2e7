# What people install: the files in a prefix, a tarball of them, Debian packages, a Python wheel. Nobody
# who installs one of these needs Swift.

# The version is what mixtral_version() answers; the soname is what the library was linked with.
VERSION := $(shell sed -n '/func mixtral_version/s/.*text("\([0-9.]*\)").*/\1/p' Sources/Mixtral/Library.swift)
SONAME := $(notdir $(LIBRARY))
REAL_NAME := libmixtral.so.$(VERSION)

# Everything that is packed bears the time of the commit, so that the same commit gives the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

DESTDIR ?=
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DOCDIR ?= $(PREFIX)/share/doc/libmixtral
# The prefix that mixtral.pc names; a tree that may be unpacked anywhere says it from the file's own place.
PC_PREFIX ?= $(PREFIX)

DOCUMENTS := README.md CHANGELOG.md LICENSE packaging/THIRD-PARTY.md

# Tools of the packages.
TOOLS := .venv/packages
PACKAGES := .build/packages
NAME := libmixtral-$(VERSION)-linux-$(ARCH)

.PHONY: install uninstall built portable wheel dist deb test-packages

$(TOOLS): packaging/requirements.txt .venv/ready
	.venv/bin/pip install -q -r packaging/requirements.txt
	touch $@

# Root often has no Swift on its PATH, and a package's build has no sources: then what `make` built is taken.
built:
	@if command -v swift > /dev/null && test -f Package.swift; then $(MAKE) --no-print-directory library; fi
	@test -f $(LIBRARY) || { echo "$(LIBRARY) is missing: run make first" >&2; exit 1; }

# The libraries of the packages that run anywhere: the same objects, linked for a glibc of 2012, and for musl.
GLIBC := 2.17
PORTABLE := .build/portable$(CROSS)/libmixtral.so.1
MUSL := .build/musl$(CROSS)/libmixtral.so.1
$(PORTABLE): LIBC := $(GLIBC)
$(MUSL): LIBC := musl
$(PORTABLE) $(MUSL): built $(TOOLS)
	mkdir -p $(@D)
	scripts/link.sh $(ARCH) $(EMBEDDED)/release $(@D)/unstripped $(LIBC)
	python3 scripts/isa_gate.py $(EMBEDDED)/release $(@D)/unstripped $(ARCH)
	$(STRIP) -o $@ $(@D)/unstripped
portable: $(PORTABLE) $(MUSL)

# The file that install puts into its place.
INSTALLED := $(LIBRARY)

# Folders reach the shell through the environment, so that they may have spaces and other characters in their
# names; a dollar sign is doubled on make's command line.
PLACES := DESTDIR PREFIX LIBDIR INCLUDEDIR DOCDIR PC_PREFIX INSTALLED SONAME VERSION INCLUDE HEADERS DOCUMENTS
$(foreach place,$(PLACES),$(eval install uninstall: export $(place) := $$($(place))))

## make install [PREFIX=/usr/local] [LIBDIR=...] [DESTDIR=...]: headers, library, pkg-config, CMake, documents.
install: built
	packaging/install.sh install

## make uninstall [the same variables]: removes what install put there.
uninstall:
	packaging/install.sh uninstall

## make dist: a tarball of what install makes, to be unpacked anywhere, and its SHA-256.
dist: portable
	rm -rf .build/dist $(PACKAGES)/$(NAME).tar.gz*
	mkdir -p $(PACKAGES)
	$(MAKE) --no-print-directory install DESTDIR=.build/dist PREFIX=/$(NAME) DOCDIR=/$(NAME) \
	  INSTALLED=$(PORTABLE) \
	  'PC_PREFIX=$$$${pcfiledir}/../..'
	cp -r examples/c .build/dist/$(NAME)/examples
	chmod -R u=rwX,go=rX .build/dist
	tar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner --format=ustar \
	  -C .build/dist -c $(NAME) | gzip -9n > .build/dist/tar.gz
	mv .build/dist/tar.gz $(PACKAGES)/$(NAME).tar.gz
	cd $(PACKAGES) && sha256sum $(NAME).tar.gz > $(NAME).part && mv $(NAME).part $(NAME).tar.gz.sha256
	cat $(PACKAGES)/$(NAME).tar.gz.sha256

## make wheel [ARCH=aarch64]: Python wheels with the library inside, for glibc 2.17 and for musl.
# $(call wheel,LIBRARY,TAG). A test asks auditwheel whether it agrees with the tag for glibc.
wheel = MIXTRAL_WHEEL_LIBRARY="$(CURDIR)/$(1)" MIXTRAL_WHEEL_TAG=py3-none-$(2) $(PYTHON) -m build --wheel \
  --no-isolation --outdir $(PACKAGES) bindings/python
wheel: portable
	rm -rf $(PACKAGES)/mixtral-*_$(ARCH).whl
	$(call wheel,$(PORTABLE),manylinux2014_$(ARCH).manylinux_2_17_$(ARCH))
	$(call wheel,$(MUSL),musllinux_1_2_$(ARCH))

# What a package's build reads; the library is built before it.
DEBIAN_INPUTS := Makefile packaging include bindings examples/c Sources/Mixtral/Library.swift $(DOCUMENTS) $(LIBRARY)
DEBIAN_TOOLS := debhelper dh-python pybuild-plugin-pyproject python3-all python3-hatchling help2man lintian
# Whoever packs is the maintainer: as Debian's tools know them, or the author of the commit.
MAINTAINER := $(or $(and $(DEBFULLNAME),$(DEBEMAIL),$(DEBFULLNAME) <$(DEBEMAIL)>),$(shell git log -1 --format='%an <%ae>'))
# Debian asks for a number of its bug tracker in what is uploaded there.
UNLINTED := initial-upload-closes-no-bugs

## make deb: libmixtral1, libmixtral-dev and python3-mixtral, by debhelper; lintian looks at them.
deb: built
	@$(NEED) $(DEBIAN_TOOLS)
	rm -rf .build/deb $(PACKAGES)/*.deb
	mkdir -p .build/deb/source $(PACKAGES)
	cp -r --parents $(sort $(DEBIAN_INPUTS)) .build/deb/source
	find .build/deb/source '(' -name '__pycache__' -o -name '.*_cache' ')' -prune -exec rm -rf {} +
	mv .build/deb/source/packaging/debian .build/deb/source/debian
	sed -i -e 's|@VERSION@|$(VERSION)|' -e 's|@MAINTAINER@|$(MAINTAINER)|' \
	  -e "s|@DATE@|$$(date -uR -d @$(SOURCE_DATE_EPOCH))|" .build/deb/source/debian/{control,changelog}
	cd .build/deb/source && PATH=/usr/bin:/bin dpkg-buildpackage -b -uc -us
	lintian --fail-on warning --suppress-tags $(UNLINTED) --allow-root .build/deb/*.changes
	mv .build/deb/*.deb $(PACKAGES)

## make test-packages: installs each package somewhere and uses it from outside the checkout.
test-packages: built $(TOOLS)
	$(call pytest,Tests/Packages)
