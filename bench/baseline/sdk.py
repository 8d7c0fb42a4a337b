"""The official SDK calls DescribeInstanceSSL again and again; prints microseconds of processor time a call."""

import sys
import time

from alibabacloud_r_kvstore20150101.client import Client
from alibabacloud_r_kvstore20150101.models import DescribeInstanceSSLRequest
from alibabacloud_tea_openapi.models import Config

address, calls = sys.argv[1], int(sys.argv[2])
client = Client(Config(
    access_key_id="LTAIbench",
    access_key_secret="bench",
    endpoint=address,
    protocol="http",
    region_id="cn-hangzhou",
))
request = DescribeInstanceSSLRequest(instance_id="r-bp1zxszhcgatnx")
assert client.describe_instance_ssl(request).body.sslenabled == "Enable"
before = time.process_time()
for _ in range(calls):
    client.describe_instance_ssl(request)
print((time.process_time() - before) * 1e6 / calls)
