//! Arithmetic on 128-bit integers, and the multiplications whose overflow needs a wide product.
//!
//! LLVM's BPF back end would call library routines that return more than one register holds. Each
//! such operation becomes a call of a routine in `assets/runtime.ll` or, for division and floating
//! point, of `compiler_builtins`, whose wide values travel through memory.
//!
//! What is missed here is not compiled quietly: LLVM reports "only small returns supported", and
//! the link fails.

use crate::llvm::{Builder, Module, Opcode, Type, TypeKind, Value};
use anyhow::{Context as _, Result, bail, ensure};
use std::cmp::Ordering;

const WIDE_BITS: u32 = 128;
const NARROW_BITS: u32 = 64;

pub fn lower_wide_arithmetic(module: Module) -> Result<()> {
    for function in module.functions() {
        // The runtime's routines are what the operations are lowered to.
        if function.name().starts_with("__sbf_") {
            continue;
        }
        let mut lowering = Lowering::new(module, function);
        for instruction in function.instructions() {
            lowering.widen(instruction);
        }
        for instruction in function.instructions() {
            lowering.lower(instruction)?;
        }
    }
    Ok(())
}

/// The lowering of one function.
struct Lowering {
    module: Module,
    function: Value,
    builder: Builder,
    wide: Type,
    narrow: Type,
    /// Three 128-bit stack slots, shared by all calls that pass wide values through memory: they
    /// are filled right before a call and read right after it.
    slots: Option<[Value; 3]>,
}

impl Lowering {
    fn new(module: Module, function: Value) -> Self {
        Self {
            module,
            function,
            builder: Builder::new(module.context()),
            wide: module.context().integer(WIDE_BITS),
            narrow: module.context().integer(NARROW_BITS),
            slots: None,
        }
    }

    /// Does the arithmetic of widths between 64 and 128 bits, which the optimiser invents, in 128.
    fn widen(&self, instruction: Value) {
        let builder = self.builder;
        let opcode = instruction.opcode();
        let between = NARROW_BITS + 1..WIDE_BITS;
        let width = instruction.ty().integer_width();
        if !needs_routine(opcode) || !width.is_some_and(|bits| between.contains(&bits)) {
            return;
        }
        let is_signed = matches!(
            opcode,
            Opcode::LLVMSDiv | Opcode::LLVMSRem | Opcode::LLVMAShr
        );
        builder.position_before(instruction);
        let [left, right] = [0, 1].map(|index| {
            let operand = instruction.operand(index);
            if is_signed && !(index == 1 && opcode == Opcode::LLVMAShr) {
                builder.sign_extend(operand, self.wide)
            } else {
                builder.zero_extend(operand, self.wide)
            }
        });
        let result = builder.binary(opcode, left, right);
        instruction.become_value(builder.truncate(result, instruction.ty()));
    }

    fn lower(&mut self, instruction: Value) -> Result<()> {
        let opcode = instruction.opcode();
        if opcode == Opcode::LLVMCall {
            return self.lower_intrinsic(instruction);
        }
        self.builder.position_before(instruction);
        let lowered = match opcode {
            Opcode::LLVMSIToFP | Opcode::LLVMUIToFP if instruction.operand(0).ty() == self.wide => {
                self.float_from_wide(instruction)?
            }
            Opcode::LLVMMul if instruction.ty().integer_width() == Some(2 * WIDE_BITS) => {
                self.double_product(instruction)?
            }
            _ if instruction.ty() != self.wide => return Ok(()),
            Opcode::LLVMFPToSI => self.wide_from_float(true, instruction.operand(0))?,
            Opcode::LLVMFPToUI => self.wide_from_float(false, instruction.operand(0))?,
            Opcode::LLVMMul => self.product(instruction)?,
            Opcode::LLVMUDiv => self.quotient("__udivti3", instruction)?,
            Opcode::LLVMURem => self.quotient("__umodti3", instruction)?,
            Opcode::LLVMSDiv => self.quotient("__divti3", instruction)?,
            Opcode::LLVMSRem => self.quotient("__modti3", instruction)?,
            // LLVM expands shifts by a constant itself.
            Opcode::LLVMShl | Opcode::LLVMLShr | Opcode::LLVMAShr
                if !instruction.operand(1).is_constant_int() =>
            {
                let routine = match opcode {
                    Opcode::LLVMShl => "__sbf_shl128",
                    Opcode::LLVMLShr => "__sbf_lshr128",
                    _ => "__sbf_ashr128",
                };
                self.call(routine, &[instruction.operand(0), instruction.operand(1)])?
            }
            _ => return Ok(()),
        };
        instruction.become_value(lowered);
        Ok(())
    }

    fn lower_intrinsic(&mut self, call: Value) -> Result<()> {
        let Some(name) = call.callee_name() else {
            return Ok(());
        };
        let arguments = call.arguments();
        self.builder.position_before(call);
        let lowered = match name.as_str() {
            "llvm.umul.with.overflow.i64" => self.call("__sbf_umulo64", &arguments)?,
            "llvm.smul.with.overflow.i64" => self.call("__sbf_smulo64", &arguments)?,
            "llvm.umul.with.overflow.i128" => self.call("__sbf_umulo128", &arguments)?,
            "llvm.smul.with.overflow.i128" => self.call("__sbf_smulo128", &arguments)?,
            // The second argument, whether zero is undefined, does not matter: both are defined.
            "llvm.ctlz.i128" => self.call("__sbf_ctlz128", &arguments[..1])?,
            "llvm.cttz.i128" => self.call("__sbf_cttz128", &arguments[..1])?,
            // The routines saturate, and take a NaN to zero, as Rust's `as` does.
            name if name.starts_with("llvm.fptosi.sat.i128.") => {
                self.wide_from_float(true, arguments[0])?
            }
            name if name.starts_with("llvm.fptoui.sat.i128.") => {
                self.wide_from_float(false, arguments[0])?
            }
            _ => return Ok(()),
        };
        call.become_value(lowered);
        Ok(())
    }

    /// A product: of two 64-bit halves where that is all there is, else of four.
    fn product(&self, multiplication: Value) -> Result<Value> {
        let (left, right) = (multiplication.operand(0), multiplication.operand(1));
        match (
            self.as_half(left, self.narrow),
            self.as_half(right, self.narrow),
        ) {
            (Some(left), Some(right)) => self.call("__sbf_mulwide", &[left, right]),
            _ => self.call("__sbf_mul128", &[left, right]),
        }
    }

    /// A product of 256 bits, which Rust's `widening_mul` of 128-bit integers asks for.
    fn double_product(&self, multiplication: Value) -> Result<Value> {
        let (left, right) = (multiplication.operand(0), multiplication.operand(1));
        match (
            self.as_half(left, self.wide),
            self.as_half(right, self.wide),
        ) {
            (Some(left), Some(right)) => self.call("__sbf_mulwide128", &[left, right]),
            _ => self.call("__sbf_mul256", &[left, right]),
        }
    }

    /// The low half of a value whose high half is known to be zero.
    fn as_half(&self, value: Value, half: Type) -> Option<Value> {
        let half_bits = half.integer_width()?;
        if value.is_zero_extension() {
            let source = value.operand(0);
            let bits = source.ty().integer_width()?;
            return match bits.cmp(&half_bits) {
                Ordering::Less => Some(self.builder.zero_extend(source, half)),
                Ordering::Equal => Some(source),
                Ordering::Greater => None,
            };
        }
        if value.is_constant_int() {
            let low = value.truncated_constant(half);
            let again = self.builder.zero_extend(low, value.ty());
            return (again == value).then_some(low);
        }
        None
    }

    fn quotient(&mut self, routine: &str, division: Value) -> Result<Value> {
        let [result, left, right] = self.slots()?;
        self.builder.store(division.operand(0), left);
        self.builder.store(division.operand(1), right);
        self.call(routine, &[result, left, right])?;
        Ok(self.builder.load(self.wide, result))
    }

    fn wide_from_float(&mut self, is_signed: bool, float: Value) -> Result<Value> {
        let routine = match (is_signed, float.ty().kind()) {
            (true, TypeKind::Double) => "__fixdfti",
            (false, TypeKind::Double) => "__fixunsdfti",
            (true, TypeKind::Float) => "__fixsfti",
            (false, TypeKind::Float) => "__fixunssfti",
            (_, other) => bail!("a 128-bit integer is made from {other:?}"),
        };
        let [result, ..] = self.slots()?;
        self.call(routine, &[result, float])?;
        Ok(self.builder.load(self.wide, result))
    }

    fn float_from_wide(&mut self, conversion: Value) -> Result<Value> {
        let is_signed = conversion.opcode() == Opcode::LLVMSIToFP;
        let routine = match (is_signed, conversion.ty().kind()) {
            (true, TypeKind::Double) => "__floattidf",
            (false, TypeKind::Double) => "__floatuntidf",
            (true, TypeKind::Float) => "__floattisf",
            (false, TypeKind::Float) => "__floatuntisf",
            (_, other) => bail!("a 128-bit integer is converted to {other:?}"),
        };
        let [_, source, _] = self.slots()?;
        self.builder.store(conversion.operand(0), source);
        self.call(routine, &[source])
    }

    fn slots(&mut self) -> Result<[Value; 3]> {
        if let Some(slots) = self.slots {
            return Ok(slots);
        }
        let start = self
            .function
            .first_instruction()
            .context("a definition has a body")?;
        let entry = Builder::new(self.module.context());
        entry.position_before(start);
        let slots = [(); 3].map(|()| entry.stack_slot(self.wide));
        self.slots = Some(slots);
        Ok(slots)
    }

    /// Calls a routine of the runtime or of `compiler_builtins`.
    fn call(&self, routine: &str, arguments: &[Value]) -> Result<Value> {
        let function = self
            .module
            .function(routine)
            .with_context(|| format!("the program lacks the routine `{routine}`"))?;
        let expected: Vec<Type> = arguments.iter().map(|argument| argument.ty()).collect();
        ensure!(
            function.function_type().parameter_types() == expected,
            "`{routine}` of this compiler passes its arguments in another way"
        );
        Ok(self.builder.call_function(function, arguments))
    }
}

fn needs_routine(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::LLVMMul
            | Opcode::LLVMUDiv
            | Opcode::LLVMURem
            | Opcode::LLVMSDiv
            | Opcode::LLVMSRem
            | Opcode::LLVMShl
            | Opcode::LLVMLShr
            | Opcode::LLVMAShr
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{module, verified};
    use super::*;

    const BUILTINS: &str = "
        declare void @__udivti3(ptr, ptr, ptr)
        declare void @__divti3(ptr, ptr, ptr)
        declare void @__fixdfti(ptr, double)
        declare double @__floatuntidf(ptr)";

    fn lowered(text: &str) -> Result<String> {
        let module = module(&format!("{text}\n{BUILTINS}"));
        let runtime = include_str!("../../../assets/runtime.ll");
        module.link_in(module.context().parse_ir("runtime", runtime)?)?;
        lower_wide_arithmetic(module)?;
        let text = verified(module);
        let end = text.find("@__sbf_umulh(i64 %a").unwrap_or(text.len());
        Ok(text[..end].to_string())
    }

    #[test]
    fn a_product_of_two_extended_words_is_the_cheap_one() {
        let text = lowered(
            "define i128 @f(i64 %a, i64 %b) {
               %x = zext i64 %a to i128
               %y = zext i64 %b to i128
               %r = mul i128 %x, %y
               ret i128 %r
             }
             define i128 @g(i128 %a) { %r = mul i128 %a, 10 ret i128 %r }",
        )
        .unwrap();
        assert!(text.contains("@__sbf_mulwide(i64 %a, i64 %b)"), "{text}");
        assert!(text.contains("@__sbf_mul128(i128 %a, i128 10)"), "{text}");
    }

    #[test]
    fn a_double_width_product_of_two_extended_integers_is_lowered() {
        let text = lowered(
            "define i128 @f(i128 %a) {
               %x = zext i128 %a to i256
               %p = mul i256 %x, 76624777043294442917917351357515459181
               %h = lshr i256 %p, 128
               %r = trunc i256 %h to i128
               ret i128 %r
             }",
        )
        .unwrap();
        let call = "@__sbf_mulwide128(i128 %a, i128 76624777043294442917917351357515459181)";
        assert!(text.contains(call), "{text}");
    }

    #[test]
    fn division_goes_through_memory_and_shares_its_slots() {
        let text = lowered(
            "define i128 @f(i128 %a, i128 %b) {
               %q = udiv i128 %a, %b
               %r = sdiv i128 %q, %b
               ret i128 %r
             }",
        )
        .unwrap();
        assert!(text.contains("call void @__udivti3"), "{text}");
        assert!(text.contains("call void @__divti3"), "{text}");
        let function = &text[text.find("@f(").unwrap()..];
        let function = &function[..function.find("ret i128").unwrap()];
        assert_eq!(function.matches("alloca i128").count(), 3, "{text}");
    }

    #[test]
    fn shifts_by_a_variable_become_calls_and_by_a_constant_do_not() {
        let text = lowered(
            "define i128 @f(i128 %a, i128 %n) {
               %x = shl i128 %a, %n
               %y = ashr i128 %x, 7
               ret i128 %y
             }",
        )
        .unwrap();
        assert!(text.contains("@__sbf_shl128(i128 %a, i128 %n)"), "{text}");
        assert!(text.contains("ashr i128"), "{text}");
    }

    #[test]
    fn odd_widths_are_done_in_128_bits() {
        let text = lowered("define i96 @f(i96 %a, i96 %b) { %r = mul i96 %a, %b ret i96 %r }");
        let text = text.unwrap();
        assert!(text.contains("zext i96 %a to i128"), "{text}");
        assert!(!text.contains("mul i96"), "{text}");
    }

    #[test]
    fn conversions_between_wide_integers_and_floats_become_calls() {
        let text = lowered(
            "declare i128 @llvm.fptosi.sat.i128.f64(double)
             define double @f(double %a) {
               %x = call i128 @llvm.fptosi.sat.i128.f64(double %a)
               %r = uitofp i128 %x to double
               ret double %r
             }",
        )
        .unwrap();
        assert!(text.contains("call void @__fixdfti(ptr %"), "{text}");
        assert!(text.contains("call double @__floatuntidf(ptr %"), "{text}");
    }

    #[test]
    fn a_missing_routine_is_an_error() {
        let error = lowered("define i128 @f(i128 %a) { %r = urem i128 %a, %a ret i128 %r }");
        assert!(error.unwrap_err().to_string().contains("__umodti3"));
    }
}
