/// A type of weights in model files, by ggml's numbers; also those that are not read, so that
/// messages can name them.
///
/// Numbers: https://github.com/ggml-org/ggml/blob/master/include/ggml.h
public enum GGMLType: Int32, Sendable, CaseIterable {
    /// 32-bit floats; 32 bits a weight.
    case f32 = 0
    /// 16-bit floats (IEEE binary16); 16 bits a weight.
    case f16 = 1
    /// Blocks of 32: a 16-bit scale and 4-bit codes; 4.5 bits a weight.
    case q4_0 = 2
    /// Blocks of 32: scale, minimum and 4-bit codes; 5 bits a weight.
    case q4_1 = 3
    /// Blocks of 32: a 16-bit scale and 5-bit codes; 5.5 bits a weight.
    case q5_0 = 6
    /// Blocks of 32: scale, minimum and 5-bit codes; 6 bits a weight.
    case q5_1 = 7
    /// Blocks of 32: a 16-bit scale and 8-bit codes; 8.5 bits a weight.
    case q8_0 = 8
    /// Blocks of 32: scale, scaled sum and 8-bit codes, 9 bits a weight; for activations.
    case q8_1 = 9
    /// Blocks of 256 in 16 groups with 4-bit scales and minima, 2-bit codes; 2.625 bits.
    case q2_k = 10
    /// Blocks of 256 in 16 groups with 6-bit scales, 3-bit codes; 3.4375 bits a weight.
    case q3_k = 11
    /// Blocks of 256 in 8 groups with 6-bit scales and minima, 4-bit codes; 4.5 bits.
    case q4_k = 12
    /// Blocks of 256 in 8 groups with 6-bit scales and minima, 5-bit codes; 5.5 bits.
    case q5_k = 13
    /// Blocks of 256 in 16 groups with 8-bit scales, 6-bit codes; 6.5625 bits a weight.
    case q6_k = 14
    /// Blocks of 256: a 32-bit scale, 8-bit codes and sums of 16; 9.125 bits; for activations.
    case q8_k = 15
    /// Blocks of 256, eights of weights from a codebook of 256; 2.0625 bits a weight.
    case iq2_xxs = 16
    /// Blocks of 256, eights of weights from a codebook of 512; 2.3125 bits a weight.
    case iq2_xs = 17
    /// Blocks of 256, fours of weights from a codebook of 256; 3.0625 bits a weight.
    case iq3_xxs = 18
    /// Blocks of 256, eights of three-valued weights from a codebook of 2048; 1.5625 bits.
    case iq1_s = 19
    /// Blocks of 32: a 16-bit scale and 4-bit codes of 16 uneven levels; 4.5 bits a weight.
    case iq4_nl = 20
    /// Blocks of 256, fours of weights from a codebook of 512; 3.4375 bits a weight.
    case iq3_s = 21
    /// Blocks of 256, eights of weights from a codebook of 1024; 2.5625 bits a weight.
    case iq2_s = 22
    /// Blocks of 256 in 8 groups with 6-bit scales, codes as `iq4_nl`; 4.25 bits a weight.
    case iq4_xs = 23
    /// Whole numbers of 8 bits.
    case i8 = 24
    /// Whole numbers of 16 bits.
    case i16 = 25
    /// Whole numbers of 32 bits.
    case i32 = 26
    /// Whole numbers of 64 bits.
    case i64 = 27
    /// 64-bit floats; 64 bits a weight.
    case f64 = 28
    /// Blocks of 256 as `iq1_s`, with scales of 16 weights; 1.75 bits a weight.
    case iq1_m = 29
    /// The upper half of 32-bit floats (bfloat16); 16 bits a weight.
    case bf16 = 30
    /// Blocks of 256 three-valued weights, five in a byte; 1.6875 bits a weight.
    case tq1_0 = 34
    /// Blocks of 256 three-valued weights in 2-bit codes; 2.0625 bits a weight.
    case tq2_0 = 35
    /// Blocks of 32: an 8-bit power of two and 4-bit floats (OCP MX); 4.25 bits a weight.
    case mxfp4 = 39
    /// Blocks of 64: scale, minimum and 2-bit codes; 2.5 bits a weight. Mneme's own, which ggml does not have.
    case q2_64 = 1002

    /// The name that model files' publishers use, such as `Q4_K`.
    public var name: String { "\(self)".uppercased() }
}
