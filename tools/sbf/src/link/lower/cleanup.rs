//! Traps and attributes that have no meaning on the target.

use crate::llvm::{Builder, Module};

const TRAPS: [&str; 3] = ["llvm.trap", "llvm.ubsantrap", "llvm.debugtrap"];

/// Traps become calls of the virtual machine's `abort`.
pub fn lower_traps(module: Module) {
    let context = module.context();
    let ty = context.function_type(context.void(), &[]);
    let abort = module
        .function("abort")
        .unwrap_or_else(|| module.add_function("abort", ty));
    let builder = Builder::new(context);
    for function in module.functions() {
        for instruction in function.instructions() {
            let is_trap = instruction.is_call()
                && instruction
                    .callee_name()
                    .is_some_and(|name| TRAPS.contains(&name.as_str()));
            if is_trap {
                builder.position_before(instruction);
                builder.call(ty, abort, &[]);
                instruction.erase();
            }
        }
    }
}

/// Removes `sret`: on BPF it would make LLVM return a pointer that nobody reads.
pub fn strip_sret(module: Module) {
    for function in module.functions() {
        function.remove_parameter_attribute("sret");
        for instruction in function.instructions() {
            if instruction.is_call() {
                instruction.remove_argument_attribute("sret");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{module, verified};
    use super::*;

    #[test]
    fn a_trap_becomes_an_abort() {
        let module = module(
            "declare void @llvm.trap()
             define void @f() { call void @llvm.trap() unreachable }",
        );
        lower_traps(module);
        let text = verified(module);
        assert!(text.contains("call void @abort()"), "{text}");
        assert!(!text.contains("call void @llvm.trap"), "{text}");
    }

    #[test]
    fn sret_is_gone_from_functions_and_calls() {
        let module = module(
            "declare void @g(ptr sret(i128))
             define void @f(ptr sret(i128) %r) { call void @g(ptr sret(i128) %r) ret void }",
        );
        strip_sret(module);
        assert!(!verified(module).contains("sret"));
    }
}
