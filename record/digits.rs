//! Numbers written as text, straight into a buffer.

/// One in each of eight bytes.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Appends a decimal number.
pub fn push_decimal(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    let mut digits = [b'0'; 20];
    let mut rest = number.unsigned_abs();
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Appends eight hexadecimal digits. The fours of bits are spread over as many bytes, and all become digits at once.
#[inline]
pub fn push_hex(number: u32, out: &mut Vec<u8>) {
    let spread = u64::from(number);
    let spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let is_letter = ((fours + EACH * 6) >> 4) & EACH;
    let letters = is_letter * u64::from(b'a' - b'0' - 10);
    out.extend_from_slice(&(fours + EACH * u64::from(b'0') + letters).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_written_as_its_digits(number: i64, hexadecimal: u32) {
            let mut out = Vec::new();
            push_hex(hexadecimal, &mut out);
            prop_assert_eq!(out, format!("{hexadecimal:08x}").into_bytes());
            let mut out = Vec::new();
            push_decimal(number, &mut out);
            prop_assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
