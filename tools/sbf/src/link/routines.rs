//! Names of the routines that generated code may call.

/// The memory routines, which become system calls of the virtual machine.
pub const MEMORY: [&str; 5] = ["memcpy", "memmove", "memset", "memcmp", "bcmp"];

/// Wide arithmetic: called by the lowering alone, never by LLVM on its own account.
///
/// The `__sbf_` ones are in `assets/runtime.ll`, the others in the compiler's own
/// `compiler_builtins`.
pub const WIDE: [&str; 27] = [
    "__divti3",
    "__fixdfti",
    "__fixsfti",
    "__fixunsdfti",
    "__fixunssfti",
    "__floattidf",
    "__floattisf",
    "__floatuntidf",
    "__floatuntisf",
    "__modti3",
    "__sbf_ashr128",
    "__sbf_ctlz128",
    "__sbf_cttz128",
    "__sbf_join",
    "__sbf_lshr128",
    "__sbf_mul128",
    "__sbf_mul256",
    "__sbf_mulwide",
    "__sbf_mulwide128",
    "__sbf_shl128",
    "__sbf_smulo128",
    "__sbf_smulo64",
    "__sbf_umulh",
    "__sbf_umulo128",
    "__sbf_umulo64",
    "__udivti3",
    "__umodti3",
];

/// Floating point: the machine has none, so LLVM calls these while it generates code.
pub const FLOAT: [&str; 37] = [
    "__adddf3",
    "__addsf3",
    "__divdf3",
    "__divsf3",
    "__eqdf2",
    "__eqsf2",
    "__extendsfdf2",
    "__fixdfdi",
    "__fixdfsi",
    "__fixsfdi",
    "__fixsfsi",
    "__fixunsdfdi",
    "__fixunssfdi",
    "__floatdidf",
    "__floatdisf",
    "__floatsidf",
    "__floatsisf",
    "__floatundidf",
    "__floatundisf",
    "__floatunsidf",
    "__gedf2",
    "__gesf2",
    "__gtdf2",
    "__gtsf2",
    "__ledf2",
    "__lesf2",
    "__ltdf2",
    "__ltsf2",
    "__muldf3",
    "__mulsf3",
    "__nedf2",
    "__nesf2",
    "__subdf3",
    "__subsf3",
    "__truncdfsf2",
    "__unorddf2",
    "__unordsf2",
];

/// Whether code generation reaches a function by its name, so that its name and the shape of its
/// arguments must stay as they are.
pub fn is_routine(name: &str) -> bool {
    MEMORY.contains(&name) || WIDE.contains(&name) || FLOAT.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_disjoint() {
        assert!(WIDE.is_sorted() && FLOAT.is_sorted());
        assert!(
            !FLOAT
                .iter()
                .any(|name| WIDE.contains(name) || MEMORY.contains(name))
        );
    }
}
