# Sourced by what builds a binary to be shipped: two builds of one commit by one toolchain are then the same bytes, wherever
# the sources, cargo's folder and the toolchain lie, and no path of the building machine is in the program.
# The caller stands in the folder of the sources.

_cargo_home=${CARGO_HOME:-$HOME/.cargo}
_sysroot=$(rustc --print sysroot)
_commit=$(rustc -vV | sed -n 's/^commit-hash: //p')

# The last one that fits wins, so what lies inside another folder comes after it.
RUSTFLAGS="--remap-path-prefix=$PWD=/notafter --remap-path-prefix=$_cargo_home=/cargo --remap-path-prefix=$_sysroot/lib/rustlib/src/rust=/rustc/$_commit"
# SQLite and aws-lc are C; -ffile-prefix-map is what gcc and clang call the same thing.
CFLAGS="-ffile-prefix-map=$PWD=/notafter -ffile-prefix-map=$_cargo_home=/cargo"
CARGO_INCREMENTAL=0
LC_ALL=C.UTF-8
export RUSTFLAGS CFLAGS CARGO_INCREMENTAL LC_ALL
# __DATE__ of C, and the times inside packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}
export SOURCE_DATE_EPOCH
unset _cargo_home _sysroot _commit
