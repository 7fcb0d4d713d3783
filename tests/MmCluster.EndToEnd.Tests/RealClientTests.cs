using System.ClientModel;
using System.Text;
using System.Text.Json;
using MmCluster.EndToEnd.Tests.Clients;
using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;
using OpenAI;
using OpenAI.Chat;
using ChatMessage = OpenAI.Chat.ChatMessage;

namespace MmCluster.EndToEnd.Tests;

/// <summary>Published clients get the same text from six processes as `mm run` gives alone.</summary>
public sealed class RealClientTests(SixProcesses six)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Our_own_client_gets_the_text_of_mm_run()
    {
        ClusterGateway gateway = await six.GatewayAsync();
        var text = new StringBuilder();
        await foreach (string piece in gateway.Client.AskAsync(
            SixProcesses.Question,
            [new MediaSource { Data = Google.Protobuf.ByteString.CopyFrom(await File.ReadAllBytesAsync(SixProcesses.Picture, Stop)) }],
            "mini",
            new SamplingParameters { Temperature = 0, MaxTokens = 64 },
            Stop))
        {
            text.Append(piece);
        }
        Assert.Equal(await six.AloneAsync(), text.ToString());
        // The picture's features came from an encoder's process.
        Assert.Matches("mm:transfer_bytes_total\\{path=\"shared_memory\"\\} [1-9]", await six.BackboneMetricsAsync());
    }

    [Fact]
    public async Task The_openai_package_for_Node_is_served()
    {
        await NodeClients.RequireAsync();
        ClusterGateway gateway = await six.GatewayAsync();
        JsonElement told = await NodeClients.RunAsync("openai.mjs", [gateway.Address.ToString(), SixProcesses.Picture, SixProcesses.Question], Stop);
        string alone = await six.AloneAsync();
        Assert.Equal((alone, alone, "stop"), (told.GetProperty("whole").GetString(), told.GetProperty("streamed").GetString(), told.GetProperty("finish").GetString()));
        Assert.Equal(told.GetProperty("usage").GetInt32(), told.GetProperty("tokens").GetInt32());
        Assert.Equal(
            (400, "messages[0].content[0]"), (told.GetProperty("failure").GetProperty("status").GetInt32(), told.GetProperty("failure").GetProperty("param").GetString()));
        Assert.Equal((404, "model"), (told.GetProperty("missing").GetProperty("status").GetInt32(), told.GetProperty("missing").GetProperty("param").GetString()));
        Assert.Equal("mini", told.GetProperty("models")[0].GetString());
    }

    [Fact]
    public async Task The_OpenAI_package_for_dotnet_is_served()
    {
        ClusterGateway gateway = await six.GatewayAsync();
        var client = new ChatClient("mini", new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(gateway.Address, "v1") });
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        ChatMessage[] messages =
        [
            new UserChatMessage(ChatMessageContentPart.CreateImagePart(BinaryData.FromBytes(picture), "image/png"), ChatMessageContentPart.CreateTextPart(SixProcesses.Question)),
        ];
        var options = new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 64 };
        ChatCompletion whole = await client.CompleteChatAsync(messages, options, Stop);
        var streamed = new StringBuilder();
        await foreach (StreamingChatCompletionUpdate update in client.CompleteChatStreamingAsync(messages, options, Stop))
        {
            foreach (ChatMessageContentPart part in update.ContentUpdate)
            {
                streamed.Append(part.Text);
            }
        }
        string alone = await six.AloneAsync();
        Assert.Equal((alone, alone), (whole.Content[0].Text, streamed.ToString()));
    }

    [Fact]
    public async Task Grpc_js_with_the_proto_files_alone_is_served()
    {
        await NodeClients.RequireAsync();
        ClusterGateway gateway = await six.GatewayAsync();
        JsonElement told = await NodeClients.RunAsync(
            "grpc.mjs", [gateway.Address.Authority, Path.Combine(AppContext.BaseDirectory, "protos"), SixProcesses.Picture, SixProcesses.Question], Stop);
        Assert.Equal(await six.AloneAsync(), told.GetProperty("text").GetString());
        Assert.Equal(
            (3, "chat.messages[0].parts[1].media"), (told.GetProperty("failure").GetProperty("code").GetInt32(), told.GetProperty("failure").GetProperty("param").GetString()));
    }
}
