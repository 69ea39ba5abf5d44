// What ofdrw does for the tests of tests/peers/test_ofdrw.py; run as one source file by java.

import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Security;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1GeneralizedTime;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERUTF8String;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.TimeStampTokenGenerator;
import org.ofdrw.converter.export.ImageExporter;
import org.ofdrw.gm.ses.v1.SES_ESPictrueInfo;
import org.ofdrw.gm.ses.v1.SES_Header;
import org.ofdrw.gm.ses.v4.CertInfoList;
import org.ofdrw.gm.ses.v4.SESeal;
import org.ofdrw.gm.ses.v4.SES_CertList;
import org.ofdrw.gm.ses.v4.SES_ESPropertyInfo;
import org.ofdrw.gm.ses.v4.SES_SealInfo;
import org.ofdrw.layout.OFDDoc;
import org.ofdrw.layout.element.Paragraph;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.OFDSigner;
import org.ofdrw.sign.SignMode;
import org.ofdrw.sign.signContainer.SESV4Container;
import org.ofdrw.sign.stamppos.NormalStampPos;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

public class Peer {
  private static final long DAY = 86_400_000L;

  public static void main(String[] args) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    switch (args[0]) {
      case "draw" -> draw(Path.of(args[1]));
      case "verify" -> verify(Path.of(args[1]));
      case "render" -> render(Path.of(args[1]), Path.of(args[2]));
      case "make-seal" -> makeSeal(args);
      case "seal" -> seal(args);
      case "stamp" -> stamp(args);
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  /** draw OUT: a page of its own making. */
  private static void draw(Path out) throws Exception {
    try (OFDDoc document = new OFDDoc(out)) {
      document.add(new Paragraph("A certificate of somebody else's making 证照"));
    }
  }

  /** verify IN: every signature; ends with an exception where one does not hold. */
  private static void verify(Path in) throws Exception {
    try (OFDReader reader = new OFDReader(in); OFDValidator validator = new OFDValidator(reader)) {
      validator.setValidator(new SESV4ValidateContainer());
      validator.exeValidate();
      System.out.println("valid");
    }
  }

  /** render IN FOLDER: a PNG a page, 8 pixels a millimetre. */
  private static void render(Path in, Path folder) throws Exception {
    try (ImageExporter exporter = new ImageExporter(in, folder, "PNG", 8d)) {
      exporter.export();
      exporter.getImgFilePaths().forEach(System.out::println);
    }
  }

  /** make-seal MAKER_KEY MAKER_CERTIFICATE SIGNER_CERTIFICATE PICTURE OUT. */
  private static void makeSeal(String[] args) throws Exception {
    Certificate maker = certificate(args[2]);
    CertInfoList signers = new CertInfoList(new ASN1OctetString[] {new DEROctetString(certificate(args[3]).getEncoded())});
    Date now = new Date();
    SES_ESPropertyInfo property = new SES_ESPropertyInfo(
        new ASN1Integer(3), new DERUTF8String("某某测试专用章"), SES_ESPropertyInfo.CertListType,
        new SES_CertList(signers), new ASN1GeneralizedTime(now), new ASN1GeneralizedTime(now),
        new ASN1GeneralizedTime(new Date(now.getTime() + 30 * DAY)));
    SES_SealInfo info = new SES_SealInfo()
        .setHeader(new SES_Header(SES_Header.V4, new org.bouncycastle.asn1.DERIA5String("SOMEBODY")))
        .setEsID("50011200000399")
        .setProperty(property)
        .setPicture(new SES_ESPictrueInfo().setType("PNG").setData(Files.readAllBytes(Path.of(args[4]))).setWidth(40).setHeight(40));
    Signature signature = Signature.getInstance("SM3withSM2", "BC");
    signature.initSign(key(args[1]));
    signature.update(info.getEncoded(ASN1Encoding.DER));
    SESeal seal = new SESeal()
        .seteSealInfo(info)
        .setCert(maker)
        .setSignAlgID(GMObjectIdentifiers.sm2sign_with_sm3)
        .setSignedValue(signature.sign());
    Files.write(Path.of(args[5]), seal.getEncoded(ASN1Encoding.DER));
  }

  /** seal MODE IN OUT KEY CERTIFICATE SEAL: on the first page, 50 mm from its left and its upper edge. */
  private static void seal(String[] args) throws Exception {
    SESeal seal = SESeal.getInstance(Files.readAllBytes(Path.of(args[6])));
    try (OFDReader reader = new OFDReader(Path.of(args[2])); OFDSigner signer = new OFDSigner(reader, Path.of(args[3]))) {
      signer.setSignMode(SignMode.valueOf(args[1]));
      signer.setSignContainer(new SESV4Container(key(args[4]), seal, certificate(args[5])));
      signer.addApPos(new NormalStampPos(1, 50, 50, 40, 40));
      signer.exeSign();
    }
  }

  /** stamp KEY CERTIFICATE IN OUT: BouncyCastle's time stamp (RFC 3161), SM2 with SM3. */
  private static void stamp(String[] args) throws Exception {
    X509Certificate own = (X509Certificate) certificate(args[2]);
    ASN1ObjectIdentifier sm3 = GMObjectIdentifiers.sm3;
    var digests = new JcaDigestCalculatorProviderBuilder().setProvider("BC").build();
    var digest = digests.get(new AlgorithmIdentifier(sm3));
    var signer = new JcaSimpleSignerInfoGeneratorBuilder().setProvider("BC").build("SM3withSM2", key(args[1]), own);
    var tokens = new TimeStampTokenGenerator(signer, digest, new ASN1ObjectIdentifier("1.2.3.4"));
    tokens.addCertificates(new JcaCertStore(List.of(own)));
    TimeStampRequestGenerator requests = new TimeStampRequestGenerator();
    requests.setCertReq(true);
    var request = requests.generate(sm3, MessageDigest.getInstance("SM3", "BC").digest(Files.readAllBytes(Path.of(args[3]))));
    TimeStampToken token = tokens.generate(request, BigInteger.ONE, new Date());
    Files.write(Path.of(args[4]), token.getEncoded());
  }

  private static PrivateKey key(String file) throws Exception {
    return KeyFactory.getInstance("EC", "BC").generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(file))));
  }

  private static Certificate certificate(String file) throws Exception {
    try (var stream = Files.newInputStream(Path.of(file))) {
      return CertificateFactory.getInstance("X.509", "BC").generateCertificate(stream);
    }
  }
}
