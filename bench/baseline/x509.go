// From PEM to dates, names and SHA-256 with Go's own libraries; prints microseconds a certificate.
package main

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"time"
)

var sink int

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	count, err := strconv.Atoi(os.Args[2])
	check(err)
	before := time.Now()
	for n := 0; n < count; n++ {
		block, _ := pem.Decode(text)
		certificate, err := x509.ParseCertificate(block.Bytes)
		check(err)
		sum := sha256.Sum256(block.Bytes)
		key := fmt.Sprintf("rsa-%d", certificate.PublicKey.(*rsa.PublicKey).Size()*8)
		sink += len(certificate.Subject.CommonName) + len(certificate.Issuer.String()) + len(key) +
			len(hex.EncodeToString(sum[:])) + len(certificate.SerialNumber.Text(16)) +
			int(certificate.NotAfter.Unix()-certificate.NotBefore.Unix())
	}
	fmt.Println(time.Since(before).Seconds() * 1e6 / float64(count))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
