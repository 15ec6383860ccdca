//! Results narrower than a register, of the routines that code generation calls.
//!
//! Where LLVM itself makes up a call, of a comparison of floats or of `f32` arithmetic, it takes
//! for granted that the upper half of the result's register is zero. The routines, compiled as
//! ordinary functions, leave there what they happen to. Each such routine gets a wrapper, under its
//! name, that clears the upper half.

use super::super::routines;
use crate::llvm::{Builder, Linkage, Module, TypeKind, Value};

const NARROW_BITS: u32 = 32;
const REGISTER_BITS: u32 = 64;

pub fn extend_narrow_results(module: Module) {
    for name in routines::FLOAT {
        let Some(routine) = module
            .function(name)
            .filter(|found| !found.is_declaration())
        else {
            continue;
        };
        let result = routine.function_type().return_type().kind();
        if matches!(result, TypeKind::Float | TypeKind::Integer(NARROW_BITS)) {
            wrap(module, routine, name);
        }
    }
}

fn wrap(module: Module, routine: Value, name: &str) {
    let context = module.context();
    let register = context.integer(REGISTER_BITS);
    routine.set_name(&format!("__narrow{name}"));
    routine.set_linkage(Linkage::LLVMInternalLinkage);

    let parameters = routine.function_type().parameter_types();
    let wrapper = module.add_function(name, context.function_type(register, &parameters));
    let builder = Builder::new(context);
    builder.start_body(context, wrapper);
    let result = builder.call_function(routine, &wrapper.parameters());
    result.copy_call_convention_of_function(routine);
    let bits = builder.reinterpret(result, context.integer(NARROW_BITS));
    builder.return_value(builder.zero_extend(bits, register));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{module, verified};
    use super::*;

    #[test]
    fn narrow_results_are_extended_and_wide_ones_are_left() {
        let module = module(
            "define float @__subsf3(float %a, float %b) { ret float %a }
             define i32 @__ltdf2(double %a, double %b) { ret i32 -1 }
             define double @__adddf3(double %a, double %b) { ret double %a }
             define float @caller(float %a) {
               %r = call float @__subsf3(float %a, float %a)
               ret float %r
             }",
        );
        extend_narrow_results(module);
        let text = verified(module);
        assert!(
            text.contains("define i64 @__subsf3(float %0, float %1)"),
            "{text}"
        );
        assert!(
            text.contains("define i64 @__ltdf2(double %0, double %1)"),
            "{text}"
        );
        assert_eq!(text.matches("zext i32").count(), 2, "{text}");
        assert!(text.contains("define double @__adddf3"), "{text}");
        assert!(
            text.contains("call float @__narrow__subsf3(float %a"),
            "{text}"
        );
    }
}
