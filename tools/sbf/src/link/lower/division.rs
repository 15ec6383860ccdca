//! Signed division of up to 64 bits, which SBPF v0 does not have.

use crate::llvm::{Builder, IntPredicate, Module, Opcode, Value};

/// Signed quotients and remainders become unsigned ones of the magnitudes, with the sign put back:
/// a quotient is negative when the signs differ, a remainder when the dividend is negative.
///
/// `MIN / -1` needs no care here: Rust checks it before it divides.
pub fn lower_signed_division(module: Module) {
    let builder = Builder::new(module.context());
    for function in module.functions() {
        for instruction in function.instructions() {
            let is_remainder = match instruction.opcode() {
                Opcode::LLVMSDiv => false,
                Opcode::LLVMSRem => true,
                _ => continue,
            };
            if instruction
                .ty()
                .integer_width()
                .is_some_and(|bits| bits <= 64)
            {
                builder.position_before(instruction);
                let lowered = divide_magnitudes(builder, instruction, is_remainder);
                instruction.become_value(lowered);
            }
        }
    }
}

fn divide_magnitudes(builder: Builder, division: Value, is_remainder: bool) -> Value {
    let zero = division.ty().constant(0);
    let (dividend, divisor) = (division.operand(0), division.operand(1));
    let is_negative = |value| builder.compare(IntPredicate::LLVMIntSLT, value, zero);
    let negate_if = |condition, value| builder.select(condition, builder.negate(value), value);

    let dividend_is_negative = is_negative(dividend);
    let divisor_is_negative = is_negative(divisor);
    let dividend = negate_if(dividend_is_negative, dividend);
    let divisor = negate_if(divisor_is_negative, divisor);
    if is_remainder {
        let remainder = builder.binary(Opcode::LLVMURem, dividend, divisor);
        negate_if(dividend_is_negative, remainder)
    } else {
        let quotient = builder.binary(Opcode::LLVMUDiv, dividend, divisor);
        negate_if(
            builder.xor(dividend_is_negative, divisor_is_negative),
            quotient,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{module, verified};
    use super::*;

    #[test]
    fn no_signed_division_is_left() {
        let module = module(
            "define i64 @q(i64 %a, i64 %b) { %r = sdiv i64 %a, %b ret i64 %r }
             define i8 @r(i8 %a, i8 %b) { %r = srem i8 %a, %b ret i8 %r }",
        );
        lower_signed_division(module);
        let text = verified(module);
        assert!(
            text.contains("udiv i64") && text.contains("urem i8"),
            "{text}"
        );
        assert!(!text.contains("sdiv") && !text.contains("srem"), "{text}");
    }

    #[test]
    fn constants_give_the_signs_of_rust() {
        // With constant operands the builder folds the whole sequence to its result.
        for (a, b) in [(7i8, 2i8), (-7, 2), (7, -2), (-7, -2), (-128, 3), (0, -5)] {
            let module = module(&format!(
                "define i8 @q() {{ %r = sdiv i8 {a}, {b} ret i8 %r }}
                 define i8 @r() {{ %r = srem i8 {a}, {b} ret i8 %r }}"
            ));
            lower_signed_division(module);
            let text = verified(module);
            assert!(
                text.contains(&format!("ret i8 {}", a / b)),
                "{a} / {b}: {text}"
            );
            assert!(
                text.contains(&format!("ret i8 {}", a % b)),
                "{a} % {b}: {text}"
            );
        }
    }

    #[test]
    fn wide_division_is_left_to_the_wide_lowering() {
        let module = module("define i128 @q(i128 %a) { %r = sdiv i128 %a, 3 ret i128 %r }");
        lower_signed_division(module);
        assert!(verified(module).contains("sdiv i128"));
    }
}
