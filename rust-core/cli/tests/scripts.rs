//! What the repository's scripts decide, as far as it can be asked without building anything.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// The flags that llama.cpp is built with on a processor that lists these features.
fn flags(features: &str) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/llama-cpp-build.sh");
    let output = Command::new("bash")
        .arg(script)
        .arg("--flags")
        .env("WHIMBREL_CPU_FEATURES", features)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn llama_cpp_is_built_for_listed_features_without_amx() {
    if !cfg!(target_arch = "x86_64") {
        println!("not tested: the features of other processors");
        return;
    }
    let has = |features: &str, flag: &str| flags(features).iter().any(|found| found == flag);
    let wide = "fpu sse4_2 avx avx2 fma f16c bmi2 avx512f avx512cd avx512bw avx512dq avx512vl avx512_vnni amx_tile amx_int8 amx_bf16";
    for flag in [
        "-DGGML_NATIVE=OFF",
        "-DGGML_AVX512=ON",
        "-DGGML_AVX512_VNNI=ON",
        "-DGGML_AVX512_BF16=OFF",
    ] {
        assert!(has(wide, flag), "{flag}");
    }
    assert!(
        !flags(wide)
            .iter()
            .any(|flag| flag.contains("AMX") && flag.ends_with("=ON"))
    );
    // Part of what a flag stands for is not enough.
    for flag in ["-DGGML_AVX512=OFF", "-DGGML_AVX2=ON"] {
        assert!(has("sse4_2 avx avx2 avx512f", flag), "{flag}");
    }
}
