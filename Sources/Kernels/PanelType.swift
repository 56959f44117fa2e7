// The types of panel, and the family, the storage of codes and the offset of each. Adding a block
// type begins here (CONTRIBUTING.md).

/// The types of panel that have kernels.
public enum PanelType: Int, CaseIterable, Sendable {
  case f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q2_K, q3_K, q4_K, q5_K, q6_K, iq4_NL
}

public typealias PanelQ4_0 = OffsetBlock<Codes4, Offset8>
public typealias PanelQ4_1 = AffineBlock<Codes4>
public typealias PanelQ5_0 = OffsetBlock<Codes5, Offset16Codes>
public typealias PanelQ5_1 = AffineBlock<Codes5>
public typealias PanelQ8_0 = ByteBlock<Codes8>
public typealias PanelQ2_K = Affine16<Codes2>
public typealias PanelQ3_K = Offset16<Codes3, Offset4>
public typealias PanelQ4_K = Affine32<Codes4>
public typealias PanelQ5_K = Affine32<Codes5>
public typealias PanelQ6_K = Offset16<Codes6, Offset32>
public typealias PanelIQ4_NL = ByteBlock<LookupCodes<IQ4Steps>>
