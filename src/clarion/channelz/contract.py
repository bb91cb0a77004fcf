"""The descriptor of grpc.channelz.v1, as protoc makes it.

A test compiles the .proto file below `protos/` and says what to put here if the two differ.
"""

from __future__ import annotations

__all__ = ["CHANNELZ"]

CHANNELZ = (
    b"\n\x1fgrpc_channelz/v1/channelz.proto\x12\x10grpc.channelz.v1\x1a\x19google/prot"
    b"obuf/any.proto\x1a\x1egoogle/protobuf/duration.proto\x1a\x1fgoogle/protobuf/"
    b'timestamp.proto\x1a\x1egoogle/protobuf/wrappers.proto"\xfe\x01\n\x07Channel\x12)\n\x03r'
    b"ef\x18\x01 \x01(\x0b2\x1c.grpc.channelz.v1.ChannelRef\x12+\n\x04data\x18\x02 \x01(\x0b2\x1d.grpc.chan"
    b"nelz.v1.ChannelData\x121\n\x0bchannel_ref\x18\x03 \x03(\x0b2\x1c.grpc.channelz.v1.Chan"
    b"nelRef\x127\n\x0esubchannel_ref\x18\x04 \x03(\x0b2\x1f.grpc.channelz.v1.SubchannelRef\x12"
    b'/\n\nsocket_ref\x18\x05 \x03(\x0b2\x1b.grpc.channelz.v1.SocketRef"\x84\x02\n\nSubchannel\x12'
    b",\n\x03ref\x18\x01 \x01(\x0b2\x1f.grpc.channelz.v1.SubchannelRef\x12+\n\x04data\x18\x02 \x01(\x0b2"
    b"\x1d.grpc.channelz.v1.ChannelData\x121\n\x0bchannel_ref\x18\x03 \x03(\x0b2\x1c.grpc.chann"
    b"elz.v1.ChannelRef\x127\n\x0esubchannel_ref\x18\x04 \x03(\x0b2\x1f.grpc.channelz.v1.Sub"
    b'channelRef\x12/\n\nsocket_ref\x18\x05 \x03(\x0b2\x1b.grpc.channelz.v1.SocketRef"\xbb\x01\n\x18'
    b"ChannelConnectivityState\x12?\n\x05state\x18\x01 \x01(\x0e20.grpc.channelz.v1.Chann"
    b'elConnectivityState.State"^\n\x05State\x12\x0b\n\x07UNKNOWN\x10\x00\x12\x08\n\x04IDLE\x10\x01\x12\x0e'
    b"\n\nCONNECTING\x10\x02\x12\t\n\x05READY\x10\x03\x12\x15\n\x11TRANSIENT_FAILURE\x10\x04\x12\x0c\n\x08S"
    b'HUTDOWN\x10\x05"\xb6\x02\n\x0bChannelData\x129\n\x05state\x18\x01 \x01(\x0b2*.grpc.channelz.v1.Chan'
    b"nelConnectivityState\x12\x0e\n\x06target\x18\x02 \x01(\t\x12-\n\x05trace\x18\x03 \x01(\x0b2\x1e.grpc."
    b"channelz.v1.ChannelTrace\x12\x15\n\rcalls_started\x18\x04 \x01(\x03\x12\x17\n\x0fcalls_succeed"
    b"ed\x18\x05 \x01(\x03\x12\x14\n\x0ccalls_failed\x18\x06 \x01(\x03\x12?\n\x1blast_call_started_timestam"
    b"p\x18\x07 \x01(\x0b2\x1a.google.protobuf.Timestamp\x12&\n\x1emax_connections_per_subch"
    b'annel\x18\x08 \x01(\r"\xdb\x02\n\x11ChannelTraceEvent\x12\x13\n\x0bdescription\x18\x01 \x01(\t\x12>\n'
    b"\x08severity\x18\x02 \x01(\x0e2,.grpc.channelz.v1.ChannelTraceEvent.Severity\x12-\n"
    b"\ttimestamp\x18\x03 \x01(\x0b2\x1a.google.protobuf.Timestamp\x123\n\x0bchannel_ref\x18\x04 \x01("
    b"\x0b2\x1c.grpc.channelz.v1.ChannelRefH\x00\x129\n\x0esubchannel_ref\x18\x05 \x01(\x0b2\x1f.grpc"
    b'.channelz.v1.SubchannelRefH\x00"E\n\x08Severity\x12\x0e\n\nCT_UNKNOWN\x10\x00\x12\x0b\n\x07CT_I'
    b'NFO\x10\x01\x12\x0e\n\nCT_WARNING\x10\x02\x12\x0c\n\x08CT_ERROR\x10\x03B\x0b\n\tchild_ref"\x96\x01\n'
    b"\x0cChannelTrace\x12\x19\n\x11num_events_logged\x18\x01 \x01(\x03\x126\n\x12creation_timestamp\x18"
    b"\x02 \x01(\x0b2\x1a.google.protobuf.Timestamp\x123\n\x06events\x18\x03 \x03(\x0b2#.grpc.channel"
    b'z.v1.ChannelTraceEvent"R\n\nChannelRef\x12\x12\n\nchannel_id\x18\x01 \x01(\x03\x12\x0c\n\x04name'
    b"\x18\x02 \x01(\tJ\x04\x08\x03\x10\x04J\x04\x08\x04\x10\x05J\x04\x08\x05\x10\x06J\x04\x08\x06\x10\x07J"
    b'\x04\x08\x07\x10\x08J\x04\x08\x08\x10\t"X\n\rSubchannelRef\x12\x15\n\rsubchannel_id\x18\x07 \x01(\x03'
    b"\x12\x0c\n\x04name\x18\x08 \x01(\tJ\x04\x08\x01\x10\x02J\x04\x08\x02\x10\x03J\x04\x08\x03\x10\x04J"
    b'\x04\x08\x04\x10\x05J\x04\x08\x05\x10\x06J\x04\x08\x06\x10\x07"P\n\tSocketRef\x12\x11\n\tsocket_id'
    b"\x18\x03 \x01(\x03\x12\x0c\n\x04name\x18\x04 \x01(\tJ\x04\x08\x01\x10\x02J\x04\x08\x02\x10\x03J\x04"
    b'\x08\x05\x10\x06J\x04\x08\x06\x10\x07J\x04\x08\x07\x10\x08J\x04\x08\x08\x10\t"P\n\tServerRef\x12\x11'
    b"\n\tserver_id\x18\x05 \x01(\x03\x12\x0c\n\x04name\x18\x06 \x01(\tJ\x04\x08\x01\x10\x02J\x04\x08\x02"
    b'\x10\x03J\x04\x08\x03\x10\x04J\x04\x08\x04\x10\x05J\x04\x08\x07\x10\x08J\x04\x08\x08\x10\t"\x92\x01\n'
    b"\x06Server\x12(\n\x03ref\x18\x01 \x01(\x0b2\x1b.grpc.channelz.v1.ServerRef\x12*\n\x04data\x18\x02 "
    b"\x01(\x0b2\x1c.grpc.channelz.v1.ServerData\x122\n\rlisten_socket\x18\x03 \x03(\x0b2\x1b.grpc."
    b'channelz.v1.SocketRef"\xc2\x01\n\nServerData\x12-\n\x05trace\x18\x01 \x01(\x0b2\x1e.grpc.chann'
    b"elz.v1.ChannelTrace\x12\x15\n\rcalls_started\x18\x02 \x01(\x03\x12\x17\n\x0fcalls_succeeded\x18\x03 "
    b"\x01(\x03\x12\x14\n\x0ccalls_failed\x18\x04 \x01(\x03\x12?\n\x1blast_call_started_timestamp\x18\x05 "
    b'\x01(\x0b2\x1a.google.protobuf.Timestamp"\xf6\x01\n\x06Socket\x12(\n\x03ref\x18\x01 \x01(\x0b2\x1b.gr'
    b"pc.channelz.v1.SocketRef\x12*\n\x04data\x18\x02 \x01(\x0b2\x1c.grpc.channelz.v1.Socket"
    b"Data\x12(\n\x05local\x18\x03 \x01(\x0b2\x19.grpc.channelz.v1.Address\x12)\n\x06remote\x18\x04 \x01("
    b"\x0b2\x19.grpc.channelz.v1.Address\x12,\n\x08security\x18\x05 \x01(\x0b2\x1a.grpc.channelz.v"
    b'1.Security\x12\x13\n\x0bremote_name\x18\x06 \x01(\t"\xd0\x05\n\nSocketData\x12\x17\n\x0fstreams_start'
    b"ed\x18\x01 \x01(\x03\x12\x19\n\x11streams_succeeded\x18\x02 \x01(\x03\x12\x16\n\x0estreams_failed\x18"
    b"\x03 \x01(\x03\x12\x15\n\rmessages_sent\x18\x04 \x01(\x03\x12\x19\n\x11messages_received\x18\x05 \x01"
    b"(\x03\x12\x18\n\x10keep_alives_sent\x18\x06 \x01(\x03\x12G\n#last_local_stream_created_timest"
    b"amp\x18\x07 \x01(\x0b2\x1a.google.protobuf.Timestamp\x12H\n$last_remote_stream_crea"
    b"ted_timestamp\x18\x08 \x01(\x0b2\x1a.google.protobuf.Timestamp\x12?\n\x1blast_message_"
    b"sent_timestamp\x18\t \x01(\x0b2\x1a.google.protobuf.Timestamp\x12C\n\x1flast_message"
    b"_received_timestamp\x18\n \x01(\x0b2\x1a.google.protobuf.Timestamp\x12>\n\x19local_f"
    b"low_control_window\x18\x0b \x01(\x0b2\x1b.google.protobuf.Int64Value\x12?\n\x1aremote_"
    b"flow_control_window\x18\x0c \x01(\x0b2\x1b.google.protobuf.Int64Value\x12.\n\x06option"
    b"\x18\r \x03(\x0b2\x1e.grpc.channelz.v1.SocketOption\x12;\n\x15received_goaway_error\x18"
    b"\x0e \x01(\x0b2\x1c.google.protobuf.UInt32Value\x12#\n\x1bpeer_max_concurrent_strea"
    b'ms\x18\x0f \x01(\r"\xe8\x02\n\x07Address\x12?\n\rtcpip_address\x18\x01 \x01(\x0b2&.grpc.channelz.v1.A'
    b"ddress.TcpIpAddressH\x00\x12;\n\x0buds_address\x18\x02 \x01(\x0b2$.grpc.channelz.v1.Ad"
    b"dress.UdsAddressH\x00\x12?\n\rother_address\x18\x03 \x01(\x0b2&.grpc.channelz.v1.Add"
    b"ress.OtherAddressH\x00\x1a0\n\x0cTcpIpAddress\x12\x12\n\nip_address\x18\x01 \x01(\x0c\x12\x0c\n\x04po"
    b"rt\x18\x02 \x01(\x05\x1a\x1e\n\nUdsAddress\x12\x10\n\x08filename\x18\x01 \x01(\t\x1aA\n\x0cOtherAddre"
    b"ss\x12\x0c\n\x04name\x18\x01 \x01(\t\x12#\n\x05value\x18\x02 \x01(\x0b2\x14.google.protobuf.AnyB\t\n"
    b'\x07address"\xbe\x02\n\x08Security\x12-\n\x03tls\x18\x01 \x01(\x0b2\x1e.grpc.channelz.v1.Security.T'
    b"lsH\x00\x129\n\x05other\x18\x02 \x01(\x0b2(.grpc.channelz.v1.Security.OtherSecurityH\x00\x1a"
    b"{\n\x03Tls\x12\x17\n\rstandard_name\x18\x01 \x01(\tH\x00\x12\x14\n\nother_name\x18\x02 \x01(\tH\x00"
    b"\x12\x19\n\x11local_certificate\x18\x03 \x01(\x0c\x12\x1a\n\x12remote_certificate\x18\x04 \x01(\x0cB"
    b"\x0e\n\x0ccipher_suite\x1aB\n\rOtherSecurity\x12\x0c\n\x04name\x18\x01 \x01(\t\x12#\n\x05value\x18"
    b'\x02 \x01(\x0b2\x14.google.protobuf.AnyB\x07\n\x05model"U\n\x0cSocketOption\x12\x0c\n\x04name\x18\x01'
    b" \x01(\t\x12\r\n\x05value\x18\x02 \x01(\t\x12(\n\nadditional\x18\x03 \x01(\x0b2\x14.google.protobuf.A"
    b'ny"B\n\x13SocketOptionTimeout\x12+\n\x08duration\x18\x01 \x01(\x0b2\x19.google.protobuf.Du'
    b'ration"Q\n\x12SocketOptionLinger\x12\x0e\n\x06active\x18\x01 \x01(\x08\x12+\n\x08duration\x18\x02 '
    b'\x01(\x0b2\x19.google.protobuf.Duration"\xae\x05\n\x13SocketOptionTcpInfo\x12\x12\n\ntcpi_s'
    b"tate\x18\x01 \x01(\r\x12\x15\n\rtcpi_ca_state\x18\x02 \x01(\r\x12\x18\n\x10tcpi_retransmits\x18\x03 "
    b"\x01(\r\x12\x13\n\x0btcpi_probes\x18\x04 \x01(\r\x12\x14\n\x0ctcpi_backoff\x18\x05 \x01(\r\x12\x14\n"
    b"\x0ctcpi_options\x18\x06 \x01(\r\x12\x17\n\x0ftcpi_snd_wscale\x18\x07 \x01(\r\x12\x17\n\x0ftcpi_rcv_w"
    b"scale\x18\x08 \x01(\r\x12\x10\n\x08tcpi_rto\x18\t \x01(\r\x12\x10\n\x08tcpi_ato\x18\n \x01(\r\x12\x14"
    b"\n\x0ctcpi_snd_mss\x18\x0b \x01(\r\x12\x14\n\x0ctcpi_rcv_mss\x18\x0c \x01(\r\x12\x14\n\x0ctcpi_unacke"
    b"d\x18\r \x01(\r\x12\x13\n\x0btcpi_sacked\x18\x0e \x01(\r\x12\x11\n\ttcpi_lost\x18\x0f \x01(\r\x12\x14"
    b"\n\x0ctcpi_retrans\x18\x10 \x01(\r\x12\x14\n\x0ctcpi_fackets\x18\x11 \x01(\r\x12\x1b\n\x13tcpi_last_d"
    b"ata_sent\x18\x12 \x01(\r\x12\x1a\n\x12tcpi_last_ack_sent\x18\x13 \x01(\r\x12\x1b\n\x13tcpi_last_data_"
    b"recv\x18\x14 \x01(\r\x12\x1a\n\x12tcpi_last_ack_recv\x18\x15 \x01(\r\x12\x11\n\ttcpi_pmtu\x18\x16 "
    b"\x01(\r\x12\x19\n\x11tcpi_rcv_ssthresh\x18\x17 \x01(\r\x12\x10\n\x08tcpi_rtt\x18\x18 \x01(\r\x12\x13"
    b"\n\x0btcpi_rttvar\x18\x19 \x01(\r\x12\x19\n\x11tcpi_snd_ssthresh\x18\x1a \x01(\r\x12\x15\n\rtcpi_snd_"
    b"cwnd\x18\x1b \x01(\r\x12\x13\n\x0btcpi_advmss\x18\x1c \x01(\r\x12\x17\n\x0ftcpi_reordering\x18\x1d "
    b'\x01(\r"F\n\x15GetTopChannelsRequest\x12\x18\n\x10start_channel_id\x18\x01 \x01(\x03\x12\x13\n\x0bmax'
    b'_results\x18\x02 \x01(\x03"Q\n\x16GetTopChannelsResponse\x12*\n\x07channel\x18\x01 \x03(\x0b2\x19.grp'
    b'c.channelz.v1.Channel\x12\x0b\n\x03end\x18\x02 \x01(\x08"A\n\x11GetServersRequest\x12\x17\n\x0fstart'
    b'_server_id\x18\x01 \x01(\x03\x12\x13\n\x0bmax_results\x18\x02 \x01(\x03"K\n\x12GetServersResponse\x12'
    b'(\n\x06server\x18\x01 \x03(\x0b2\x18.grpc.channelz.v1.Server\x12\x0b\n\x03end\x18\x02 \x01(\x08"%\n'
    b'\x10GetServerRequest\x12\x11\n\tserver_id\x18\x01 \x01(\x03"=\n\x11GetServerResponse\x12(\n\x06ser'
    b'ver\x18\x01 \x01(\x0b2\x18.grpc.channelz.v1.Server"Z\n\x17GetServerSocketsRequest\x12\x11'
    b"\n\tserver_id\x18\x01 \x01(\x03\x12\x17\n\x0fstart_socket_id\x18\x02 \x01(\x03\x12\x13\n\x0bmax_resul"
    b'ts\x18\x03 \x01(\x03"X\n\x18GetServerSocketsResponse\x12/\n\nsocket_ref\x18\x01 \x03(\x0b2\x1b.grpc.'
    b"channelz.v1.SocketRef\x12\x0b\n\x03end\x18\x02 \x01(\x08\"'\n\x11GetChannelRequest\x12\x12\n\nchann"
    b'el_id\x18\x01 \x01(\x03"@\n\x12GetChannelResponse\x12*\n\x07channel\x18\x01 \x01(\x0b2\x19.grpc.chann'
    b'elz.v1.Channel"-\n\x14GetSubchannelRequest\x12\x15\n\rsubchannel_id\x18\x01 \x01(\x03"I\n'
    b"\x15GetSubchannelResponse\x120\n\nsubchannel\x18\x01 \x01(\x0b2\x1c.grpc.channelz.v1.Su"
    b'bchannel"6\n\x10GetSocketRequest\x12\x11\n\tsocket_id\x18\x01 \x01(\x03\x12\x0f\n\x07summary\x18\x02 '
    b'\x01(\x08"=\n\x11GetSocketResponse\x12(\n\x06socket\x18\x01 \x01(\x0b2\x18.grpc.channelz.v1.Sock'
    b"et2\x9a\x05\n\x08Channelz\x12c\n\x0eGetTopChannels\x12'.grpc.channelz.v1.GetTopChann"
    b"elsRequest\x1a(.grpc.channelz.v1.GetTopChannelsResponse\x12W\n\nGetServe"
    b"rs\x12#.grpc.channelz.v1.GetServersRequest\x1a$.grpc.channelz.v1.GetSe"
    b'rversResponse\x12T\n\tGetServer\x12".grpc.channelz.v1.GetServerRequest\x1a#'
    b".grpc.channelz.v1.GetServerResponse\x12i\n\x10GetServerSockets\x12).grpc.c"
    b"hannelz.v1.GetServerSocketsRequest\x1a*.grpc.channelz.v1.GetServerS"
    b"ocketsResponse\x12W\n\nGetChannel\x12#.grpc.channelz.v1.GetChannelReques"
    b"t\x1a$.grpc.channelz.v1.GetChannelResponse\x12`\n\rGetSubchannel\x12&.grpc."
    b"channelz.v1.GetSubchannelRequest\x1a'.grpc.channelz.v1.GetSubchanne"
    b'lResponse\x12T\n\tGetSocket\x12".grpc.channelz.v1.GetSocketRequest\x1a#.grp'
    b"c.channelz.v1.GetSocketResponseBX\n\x13io.grpc.channelz.v1B\rChannelz"
    b"ProtoP\x01Z0google.golang.org/grpc/channelz/grpc_channelz_v1b\x06proto"
    b"3"
)
